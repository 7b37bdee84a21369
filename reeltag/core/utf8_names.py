"""Names of files for libraries that take names in UTF-8 alone, as on Linux not all are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.files import is_utf8, scratch_folder


@contextmanager
def utf8_name(path: Path) -> Iterator[str]:
    """Yield a name in UTF-8 by which a file can be opened, to read it or to write it.

    A path that is none is reached through a link, which is gone after the block; so are the files
    next to it, where the last part of the path is UTF-8.

    Args:
        path: of a file, which need not exist.
    """
    if is_utf8(path):
        yield str(path)
        return
    with scratch_folder() as folder:
        link = folder / "there"
        if is_utf8(Path(path.name)):
            link.symlink_to(path.absolute().parent, target_is_directory=True)
            yield str(link / path.name)
        else:
            link.symlink_to(path.absolute())
            yield str(link)
