"""The folder next to DATA that an import works in, so that it can be killed and go on.

DATA.importing/
    import.json    marks it as ours, and holds a hash of the options
    README.txt     how to go on
    lock           held by the process that works here
    features.json  what was fitted
    data/          finished shards, tables: what DATA will be, or what will be added to it
    reports/       what was counted in each finished shard
    finished.json  all is written: only moving it is left
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reeltag.core.addresses import check_is_local
from reeltag.core.console import say
from reeltag.core.errors import OutputError
from reeltag.core.files import put, write_json, write_text
from reeltag.core.locks import hold
from reeltag.core.parts import discard, is_part, remove_dead_parts
from reeltag.core.writing import make_folder
from reeltag.data.features import Features

_MARK = "reeltag import"
_README = """An import into {out} that is not finished.

To go on where it was, run the same command again:

    {command}

To give it up, remove this folder.
"""


class WorkFolder:
    """Where one import works.

    Args:
        out: the data folder to be.
        command: that goes on with it.
    """

    def __init__(self, out: Path, command: str) -> None:
        self.out, self._command = out, command
        check_is_local(out)
        whole = out.resolve()
        self.path = whole.with_name(whole.name + ".importing")
        self.data, self.reports = self.path / "data", self.path / "reports"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold it; without a finished shard nothing is left at the end.

        Raises:
            OutputError: it cannot be made, is not of an import, or another process works in it.
        """
        if self.path.exists() and not self._is_ours():
            raise OutputError(
                "is in the way: it is not the folder of an import that was interrupted",
                where=self.path,
                hint="Move it elsewhere, or choose another --out.",
            )
        remove_dead_parts(self.path.parent, self.out.resolve().name)
        make_folder(self.path)
        with hold(self.path / "lock", self.path, hint="Wait for it, or choose another --out."):
            for folder in (self.path, self.data, self.reports):
                remove_dead_parts(folder)
            try:
                if not self._stored():
                    self._mark(None)
                yield
            finally:
                count = sum(1 for _ in self.reports.glob("*.json"))
                if count:
                    say(f"{count} finished shards are kept in {self.path}: run it again to go on")
                else:
                    discard(self.path, self.out.resolve())

    def begin(self, request: str) -> Features | None:
        """Go on with what is here, or begin; return the description that is here already.

        OutputError where an import with other options is here; DataError where the description
        cannot be read.
        """
        found = self._stored()
        some = any(self.reports.glob("*.json"))
        if some and found.get("request") != request:
            raise OutputError(
                "holds an unfinished import of other features or with other options",
                where=self.path,
                hint="Go on with it by the command in its README.txt, or remove the folder.",
            )
        make_folder(self.data)
        make_folder(self.reports)
        if found.get("request") != request:
            self._mark(request)
        return Features.find(self.path) if some else None

    def finish(self, summary: dict[str, Any], *, append: bool) -> None:
        """Note that all is written, then give it its name: DATA, or files in DATA.

        OutputError where it cannot be moved; to run the command again goes on.
        """
        write_json(self.path / "finished.json", {"summary": summary, "append": append})
        self.move()

    def finished(self) -> dict[str, Any] | None:
        """Return the summary of an import that only has to be moved; None where there is none."""
        try:
            text = (self.path / "finished.json").read_text(encoding="utf-8")
        except OSError:
            return None
        stored: dict[str, Any] = json.loads(text)
        return stored

    def move(self) -> None:
        """Move what is finished to its place, and remove this folder.

        Raises:
            OutputError: it cannot be moved.
        """
        stored = self.finished()
        assert stored is not None
        try:
            if not stored["append"]:
                if self.data.exists():
                    put(self.data, self.out)
            else:
                for path in sorted(self.data.iterdir()):
                    put(path, self.out / path.name)
        except OutputError as error:
            hint = f"All is in {self.path}: run the command again to move it."
            raise OutputError(error.what, where=self.out, hint=hint) from error
        discard(self.path, self.out.resolve())

    def _is_ours(self) -> bool:
        names = [path.name for path in self.path.iterdir()]  # what there is before import.json
        return bool(self._stored()) or all(name == "lock" or is_part(name) for name in names)

    def _stored(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            stored = json.loads((self.path / "import.json").read_text(encoding="utf-8"))
            if isinstance(stored, dict) and stored.get("kind") == _MARK:
                return stored
        return {}

    def _mark(self, request: str | None) -> None:
        write_json(self.path / "import.json", {"kind": _MARK, "request": request})
        text = _README.format(out=self.out, command=self._command)
        write_text(self.path / "README.txt", text)
