"""The folder in DATA that an extraction works in, so that it can be killed and go on.

DATA/.reeltag/extract/
    lock           held by the process that works here
    parts/         features of videos that are in no shard yet
    placing.json   a shard that is being given its name, and the videos in it
    *.written      a shard that has no name yet
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.files import write_json
from reeltag.core.locks import hold
from reeltag.core.parts import remove_dead_parts, remove_ours
from reeltag.core.writing import make_folder

OWN = ".reeltag"  # in DATA: the index, and what is being worked on


class ExtractionFolder:
    """Where one extraction works.

    Args:
        data: the data folder.

    Attributes:
        path: of the folder.
        parts: of features of single videos.
    """

    def __init__(self, data: Path) -> None:
        self.data, self.path = data, data / OWN / "extract"
        self.parts = self.path / "parts"
        self._placing = self.path / "placing.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold it; an OutputError names the process that holds it."""
        make_folder(self.parts)
        with hold(self.path / "lock", self.data, hint="Wait for it, or choose another --out."):
            for folder in (self.path, self.parts):
                remove_dead_parts(folder)
            yield

    def place(self, name: str, contents: list[str], rename: Callable[[], None]) -> None:
        """Give a shard its name, so that it is known after a kill whether that was done.

        Args:
            name: of the shard in DATA.
            contents: content ids of its videos.
            rename: gives it the name.
        """
        write_json(self._placing, {"shard": name, "contents": contents})
        rename()

    def placed(self) -> None:
        """Forget the shard: its videos are noted."""
        self._placing.unlink(missing_ok=True)

    def interrupted(self) -> tuple[str, list[str]] | None:
        """Return a shard that has its name, but whose videos may not be noted, with these."""
        try:
            stored = json.loads(self._placing.read_text(encoding="utf-8"))
            name, contents = stored["shard"], stored["contents"]
        except (OSError, ValueError, KeyError):
            return None
        return (name, contents) if (self.data / name).is_file() else None

    def clear(self) -> None:
        """Remove what is not needed any more: the parts, and shards that are half-written."""
        remove_ours(self.parts)
        for path in self.path.glob("*.written"):
            remove_ours(path)
