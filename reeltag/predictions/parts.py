"""Unfinished predictions: a folder of finished parts, from which a killed run goes on.

    P.parts/
      state.json            settings of the run, videos done, number of finished parts
      videos-000003.arrow, segments-000003.arrow
      shares/                 of several processes: a folder like this one for each share

A part is counted in state.json only after its files are whole; files that are not counted are
written again. When all are there, state.json notes which file P replaces, so that after a kill it
is known whether P was written. Parts are Arrow files, a batch in them is a batch of videos:
nothing has to be gathered in memory to write one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, OutputError, reason_of
from reeltag.core.fields import parse_json
from reeltag.core.files import whole_file, write_json
from reeltag.core.locks import try_lock
from reeltag.core.parts import lock_path, remove_dead_parts, remove_ours
from reeltag.core.sealed import open_sealed, sealed_writer
from reeltag.predictions.rows import Kind, PredictionRows

SHARES = "shares"  # folder of what several processes did
_STATE = "state.json"
_REPLACES = "replaces"
_PART = re.compile(r"(videos|segments)-[0-9]{6}\.arrow")


class PartWriter:
    """Writes rows of one kind as they come; see `PredictionParts.writing`."""

    def __init__(self, file: pa.RecordBatchFileWriter) -> None:
        self._file = file

    def write(self, rows: PredictionRows) -> None:
        """Append rows."""
        self._file.write_batch(rows.to_arrow())


class PredictionParts:
    """The finished parts of one prediction.

    Args:
        folder: where they are, or will be.
        settings: everything that the predictions depend on, as JSON values.
        kinds: of the predicted rows.
        restart: remove the parts that are there.

    Raises:
        ConfigError: the parts that are there are of a prediction with other settings.
        DataError: the folder that is there is not one of parts.
        OutputError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        kinds: tuple[Kind, ...],
        *,
        restart: bool = False,
    ) -> None:
        self.folder, self.settings, self.kinds = folder, dict(settings), kinds
        self.videos_done, self.num_parts, self.num_blank = 0, 0, 0
        self._ending = dict[str, Any]()
        remove_dead_parts(folder)
        if restart:
            self.remove()
        if (folder / _STATE).exists():
            self._read_state()
            return
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise DataError(
                "is in the way of the unfinished predictions",
                where=folder,
                hint="Move it elsewhere, or choose another --out.",
            )
        try:
            self._write_state()
        except BaseException:  # a folder without its state would be in the way of the next run
            self.remove()
            raise

    @contextmanager
    def writing(self) -> Iterator[dict[Kind, PartWriter]]:
        """Yield a writer per kind for the next part; `finish` counts the part."""
        with ExitStack() as stack:
            writers = dict[Kind, PartWriter]()
            for kind in self.kinds:
                part = stack.enter_context(whole_file(self._file(kind, self.num_parts)))
                file = stack.enter_context(sealed_writer(part, PredictionRows.SCHEMA))
                writers[kind] = PartWriter(file)
            yield writers

    def finish(self, videos_done: int, num_blank: int = 0) -> None:
        """Count the part just written.

        Args:
            videos_done: number of videos of all parts.
            num_blank: blank videos of this part.
        """
        self.videos_done, self.num_parts = videos_done, self.num_parts + 1
        self.num_blank += num_blank
        self._write_state()

    def end(self, out: Path) -> None:
        """Note that all parts are there, and which file is replaced by the one made of them.

        Args:
            out: the file that is written next.
        """
        self._ending = {_REPLACES: _stamp(out)}
        self._write_state()

    def rows(self, kind: Kind) -> Iterator[PredictionRows]:
        """Yield the rows of all finished parts, in order."""
        for number in range(self.num_parts):
            path = self._file(kind, number)
            try:
                batches = open_sealed(path)
                for place in range(batches.num_record_batches):
                    batch = batches.get_batch(place)
                    _check(batch)
                    yield PredictionRows.from_arrow(batch)
            except (OSError, ValueError, KeyError, DataError, pa.ArrowException) as error:
                raise DataError(
                    f"a part of the unfinished predictions cannot be read ({reason_of(error)})",
                    where=path,
                    hint="Add --restart to remove the parts and start again.",
                ) from error

    @classmethod
    def open(cls, folder: Path, kinds: tuple[Kind, ...]) -> Self:
        """Return the parts that are in a folder, whatever their settings; DataError for none."""
        if not (folder / _STATE).is_file():
            raise DataError("holds no parts of predictions", where=folder)
        state = parse_json((folder / _STATE).read_text(encoding="utf-8"))
        return cls(folder, state["settings"], kinds)

    def remove(self) -> None:
        """Remove the parts, and their folder where nothing else is in it."""
        _remove(self.folder)

    def _file(self, kind: Kind, number: int) -> Path:
        return self.folder / f"{kind}-{number:06d}.arrow"

    def _write_state(self) -> None:
        state = {
            "settings": self.settings,
            "videos_done": self.videos_done,
            "num_parts": self.num_parts,
            "num_blank": self.num_blank,
            **self._ending,
        }
        write_json(self.folder / _STATE, state)

    def _read_state(self) -> None:
        path = self.folder / _STATE
        try:
            state = parse_json(path.read_text(encoding="utf-8"))
            counts = {name: state[name] for name in ("videos_done", "num_parts")}
            counts["num_blank"] = state.get("num_blank", 0)
            if any(type(number) is not int or number < 0 for number in counts.values()):
                raise ValueError(f"{counts} are no counts")
            self.videos_done, self.num_parts, self.num_blank = counts.values()
            there: dict[str, Any] = dict(state["settings"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"is in the way of the unfinished predictions and cannot be read ({error})",
                where=path,
                hint="Add --restart to remove that folder and start again.",
            ) from error
        ours = json.loads(json.dumps(self.settings))
        differing = [key for key in ours.keys() | there.keys() if ours.get(key) != there.get(key)]
        if differing:
            changes = "; ".join(
                f"{key} {_short(there.get(key))} there, {_short(ours.get(key))} now"
                for key in sorted(differing)
            )
            raise ConfigError(
                f"an interrupted prediction with other settings is kept here: {changes}",
                where=self.folder,
                hint="Repeat its settings to go on with it, or add --restart to start again.",
            )


def parts_of(out: Path) -> Path:
    """Return the folder of the parts of a prediction file."""
    return out.with_name(out.name + ".parts")


def settings_in(folder: Path) -> Mapping[str, Any] | None:
    """Return the settings of unfinished predictions; None where there are none to go on from."""
    try:
        settings = parse_json((folder / _STATE).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):  # `PredictionParts` says what is wrong
        return None
    return settings if isinstance(settings, dict) else None


def remove_left_parts(out: Path) -> None:
    """Remove the parts of a run that was killed when `out` was whole already, and say so.

    Args:
        out: the file. Nothing is removed while another process writes it.
    """
    folder = parts_of(out)
    with suppress(OutputError):
        if _is_left(folder, out):
            with try_lock(lock_path(out)) as is_ours:
                if is_ours and _is_left(folder, out):
                    say(f"{out} is whole: the run that wrote it was killed as it removed {folder}")
                    _remove(folder)


def _is_left(folder: Path, out: Path) -> bool:
    """Return whether parts are not needed any more, for the file made of them is there."""
    there = _stamp(out)
    try:
        if not (folder / _STATE).exists():
            return there is not None and folder.is_dir() and not any(folder.iterdir())
        state = parse_json((folder / _STATE).read_text(encoding="utf-8"))
        return there is not None and state[_REPLACES] != there
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _stamp(path: Path) -> list[int] | None:
    """Return by what it is seen that a file was replaced; None = it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _remove(folder: Path) -> None:
    if (folder / _STATE).exists():
        remove_ours(folder / SHARES)
        for path in folder.iterdir():
            if _PART.fullmatch(path.name):
                remove_ours(path)
        remove_ours(folder / _STATE)  # at last: without it nothing is known as ours
    with suppress(OSError):
        folder.rmdir()


def _check(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid or ValueError where a batch does not hold predictions."""
    if batch.schema != PredictionRows.SCHEMA:
        raise ValueError("it has other columns")
    batch.validate(full=True)
    lengths = [pc.list_value_length(batch.column(name)) for name in ("classes", "scores")]
    if batch.column("id").null_count or lengths[0].null_count or not lengths[0].equals(lengths[1]):
        raise ValueError("it has a row without an id, or whose classes and scores do not fit")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
