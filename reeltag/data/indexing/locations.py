"""Where the shards of a data set are, and where its index is kept."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from reeltag.core.console import say
from reeltag.core.errors import DataError, OutputError
from reeltag.core.files import private_folder
from reeltag.core.parts import new_part
from reeltag.data.indexing.shard_names import SHARD_NAMES, is_shard_name, looks_like_shard

CACHE = ".reeltag"


class Shard(NamedTuple):
    """One shard, and by what a change of it is noticed.

    Attributes:
        name: path relative to the data folder, with "/".
        size: bytes.
        mtime_ns: time of the last change of its content, as programs set it.
        ctime_ns: time of the last change, which programs cannot set.
        inode: number of the file.
    """

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def is_still(self, status: os.stat_result) -> bool:
        """Return whether a file is as it was when it was looked at."""
        return self[1:] == _stamp_of(status)


def find_shards(data: Path) -> tuple[Path, list[Shard]]:
    """Return the root folder and its shards by name: every file in or below `data` that is one.

    See `shard_names` for what they are called. Links to files that are not there are left out,
    counted and named.

    Args:
        data: a folder, or a single shard.

    Raises:
        DataError: nothing is there, a folder cannot be read, or it has no shards.
    """
    if data.is_file():
        return data.parent, [stamp(data.parent, data)]
    if not data.exists():
        raise DataError(
            "is not there", where=data, hint=f"Give the folder that holds {SHARD_NAMES}."
        )
    shards, dangling, others, seen = list[Path](), list[Path](), list[str](), set[str]()
    for folder, subfolders, files in os.walk(data, followlinks=True, onerror=_raise_unreadable):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if name != CACHE]
        found = [Path(folder, name) for name in files if is_shard_name(name)]
        dangling += [path for path in found if dangles(path)]
        shards += [path for path in found if not dangles(path)]
        others += [name for name in files if looks_like_shard(name)]
    if dangling:
        what = f"{len(dangling)} links to files that are not there are left out"
        say(f"{data}: {what}: {', '.join(sorted(path.name for path in dangling))[:200]}")
    if not shards:
        raise DataError(
            f"has no shard: {SHARD_NAMES}"
            + (f"; there are {len(others)} like {min(others)}" if others else ""),
            where=data,
            hint="Give the folder that holds the shards, or one above it."
            if not others
            else "Finish broken downloads, and let the names of shards end so.",
        )
    return data, sorted(stamp(data, shard) for shard in shards)


def _raise_unreadable(error: OSError) -> NoReturn:
    raise DataError(
        f"cannot be read ({error.strerror})",
        where=error.filename,
        hint="Ask for the right to read it, or move it elsewhere.",
    ) from error


def stamp(root: Path, path: Path) -> Shard:
    """Return a file as it is now, by which a change of it is noticed.

    Args:
        root: folder that its name is relative to.
        path: of the file.

    Raises:
        DataError: it is not there, or cannot be looked at.
    """
    try:
        status = path.stat()
    except OSError as error:
        _raise_unreadable(error)
    return Shard(path.relative_to(root).as_posix(), *_stamp_of(status))


def _stamp_of(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def dangles(path: Path) -> bool:
    """Return whether a path is a link to a file that is not there."""
    return path.is_symlink() and not path.exists()


def index_places(data: Path) -> tuple[Path, Path]:
    """Return the two folders that the index of `data` may be in: next to it, and in the cache."""
    local = data.parent / CACHE / data.name if data.is_file() else data / CACHE
    key = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    return local, cache_folder() / key


def cache_folder() -> Path:
    """Return the cache folder; of a user without a home, as in containers, it is in $TMPDIR."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "reeltag"
    try:
        return Path.home() / ".cache" / "reeltag"
    except RuntimeError:  # there is no HOME, and the system does not know the user
        return private_folder()


def writable_place(data: Path) -> Path:
    """Return the first of `index_places` that can be written to; it is made.

    Args:
        data: the folder of the shards.

    Raises:
        OutputError: neither can.
    """
    places = index_places(data)
    folder = data if data.is_dir() else data.parent
    # Permissions do not hold root back, but whoever took them away meant it.
    read_only = not folder.stat().st_mode & 0o222
    for place in places[read_only:]:
        with suppress(OutputError), new_part(place / "probe"):
            return place
    raise OutputError(
        f"the index can be written neither here nor to {places[1]}",
        where=places[0],
        hint="Make one of the two writable, or set XDG_CACHE_HOME to a folder that is.",
    )
