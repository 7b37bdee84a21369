"""Soft labels: what a teacher thinks of videos and segments, kept as Parquet.

One row is a 5-second segment or a whole video:

    id         string
    start_s    int32          first second of the segment; null for a whole video
    classes    list<int32>    that the teacher was asked about, each once
    probs      list<float32>  in [0, 1], in the order of `classes`
    drawn_for  int32          label that the segment was drawn for; null where none was

What the file is stands in its metadata under `reeltag`, as JSON (`AboutSoft`). pandas, polars and
DuckDB open it too.

Letters in shapes: N rows, P pairs of a row and a class, C classes.
"""

import dataclasses
import importlib.metadata
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json
from reeltag.core.files import whole_file
from reeltag.labels.segment_sampling import draw_equal
from reeltag.soft_labels.rows import SCHEMA, SoftRows, segment_keys

_FORMAT = "soft labels 1"
_GROUP_ROWS = 1 << 17  # a row group
_READ_ROWS = 1 << 16
_HINT = "Soft labels are written by `reeltag soft-labels RUN --data DATA --out SOFT.parquet`."
_AGAIN = "Write the file again with `reeltag soft-labels`."


@dataclass(frozen=True, kw_only=True)
class AboutSoft:
    """Where soft labels come from; stored in the file.

    Attributes:
        class_names: C names; every class is in 0..C-1.
        segment_classes: that equal draws are limited to; empty = all.
        teacher: run folder, or prediction files joined by commas.
        data: data folder.
        split: part of the data.
        per_label: segments drawn for each label of a video; 0 = none were drawn.
        per_class: segments drawn for each class out of these; 0 = all were kept.
        skip_head: segments at the head of a video that were not drawn from.
        skip_tail: segments at the tail, likewise.
        seed: of the draws.
        version: of reeltag.
    """

    class_names: tuple[str, ...]
    segment_classes: tuple[int, ...] = ()
    teacher: str = ""
    data: str = ""
    split: str = ""
    per_label: int = 0
    per_class: int = 0
    skip_head: int = 0
    skip_tail: int = 0
    seed: int = 0
    version: str = importlib.metadata.version("reeltag")

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of the file, all that `from_metadata` needs."""
        about = {"format": _FORMAT, **dataclasses.asdict(self)}
        return {b"reeltag": json.dumps(about, ensure_ascii=False).encode()}

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes] | None, path: Path) -> "AboutSoft":
        """Read what `to_metadata` wrote; DataError where it is of something else."""
        try:
            about: dict[str, Any] = json.loads((metadata or {})[b"reeltag"])
            if about.get("scores") == "logit":
                raise DataError(
                    "holds predictions (logits), not soft labels (probabilities)",
                    where=path,
                    hint=f"`reeltag soft-labels --from {path} --data DATA --out SOFT.parquet` "
                    "makes them soft labels.",
                )
            if about["format"] != _FORMAT:
                raise ValueError(f"the format is {about['format']!r}")
            known = {field.name for field in dataclasses.fields(cls)}
            values = {key: value for key, value in about.items() if key in known}
            found: AboutSoft = from_json(cls, values, where=path, field="reeltag")
            beyond = [of for of in found.segment_classes if not 0 <= of < found.num_classes]
            if beyond:
                raise ValueError(f"class {beyond[0]} of segment_classes is none of class_names")
            return found
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"does not say that it holds soft labels: the metadata key 'reeltag' is missing or "
                f"broken ({reason_of(error)})",
                where=path,
                hint=_HINT,
            ) from error


class SoftWriter:
    """Gathers rows into row groups; see `soft_writer`."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._waiting: list[pa.RecordBatch] = []
        self._num_waiting = 0

    def write(self, rows: SoftRows) -> None:
        """Append rows."""
        self._waiting.append(rows.to_arrow())
        self._num_waiting += len(rows)
        if self._num_waiting >= _GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered as one row group."""
        if self._num_waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, SCHEMA))
        self._waiting, self._num_waiting = [], 0


@contextmanager
def soft_writer(path: Path, about: AboutSoft) -> Iterator[SoftWriter]:
    """Yield a writer of rows; the file appears whole or not at all.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    schema = SCHEMA.with_metadata(about.to_metadata())
    with (
        whole_file(path) as part,
        pq.ParquetWriter(part, schema, compression="zstd", use_dictionary=["id"]) as file,
    ):
        writer = SoftWriter(file)
        yield writer
        writer.flush()


@dataclass(frozen=True)
class SoftFile:
    """A file of soft labels, read some ten thousand rows at a time.

    Attributes:
        path: of the file.
        about: where it comes from.
    """

    path: Path
    about: AboutSoft

    def rows(self) -> Iterator[SoftRows]:
        """Yield all rows, in the order of the file.

        Raises:
            DataError: the file is damaged, or a row of it is not what is allowed.
        """
        first = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(_READ_ROWS, columns=SCHEMA.names):
                    yield self._checked(batch.cast(SCHEMA), first)
                    first += len(batch)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._broken(f"cannot be read ({reason_of(error)})") from error

    def picked(self, per_class: int, *, keep_outside: bool = False) -> Iterator[SoftRows]:
        """Yield the rows that `draw_equal` picks, m for each class; the file is gone through twice.

        The random numbers are those of the file's seed, so that the picks are always the same.
        Memory: 13 bytes a row.

        Args:
            per_class: m >= 1.
            keep_outside: draw also for classes outside `about.segment_classes`, and keep what is
                said of them; else both are left out.
        """
        drawn_for, keys = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
        for rows in self.rows():
            drawn_for.append(rows.drawn_for)
            keys.append(segment_keys(rows.ids, rows.starts, self.about.seed))
        classes = () if keep_outside else self.about.segment_classes
        picked = draw_equal(np.concatenate(drawn_for), np.concatenate(keys), per_class, classes)
        if not picked.any():
            raise DataError(
                "has no row that was drawn for a class: nothing can be drawn from it",
                where=self.path,
                hint="Draws need segments that `reeltag soft-labels RUN` chose, and their classes.",
            )
        first = 0
        for rows in self.rows():
            kept = rows.where(picked[first : first + len(rows)])
            first += len(rows)
            yield kept.of_classes(classes) if classes else kept

    def _checked(self, batch: pa.RecordBatch, first: int) -> SoftRows:
        """Return a batch of rows; DataError that names the first row that is not allowed."""
        classes, probs = batch.column("classes"), batch.column("probs")
        missing = pc.or_(pc.is_null(batch.column("id")), pc.is_null(classes))
        missing = pc.or_(missing, pc.is_null(probs)).to_numpy(zero_copy_only=False)
        self._refuse(missing, first, lambda _: "has no id, no classes or no probabilities")
        lengths = pc.not_equal(pc.list_value_length(classes), pc.list_value_length(probs))
        differ = lengths.to_numpy(zero_copy_only=False)
        self._refuse(differ, first, lambda _: "has not as many probabilities as classes")
        for column in (classes, probs):
            if column.flatten().null_count:
                row = pc.list_parent_indices(column).filter(pc.is_null(column.flatten()))[0]
                self._refuse_row(first + row.as_py(), "has a class or a probability that is null")
        early = pc.fill_null(pc.less(batch.column("start_s"), 0), False)
        self._refuse(early.to_numpy(zero_copy_only=False), first, lambda _: "has a start below 0")
        rows = SoftRows.from_arrow(batch)
        self._refuse_values(rows, first)
        return rows

    def _refuse_values(self, rows: SoftRows, first: int) -> None:
        of_pair, last = rows.row_of_pair(), self.about.num_classes - 1
        for bad, what in (
            (~((rows.probs >= 0) & (rows.probs <= 1)), "the probability {prob} of class {of}, "
             "outside [0, 1]"),
            ((rows.classes < 0) | (rows.classes > last), f"the class {{of}}, outside 0..{last}"),
        ):  # fmt: skip
            if bad.any():
                at = int(bad.argmax())
                what = what.format(prob=rows.probs[at], of=rows.classes[at])
                self._refuse_row(first + int(of_pair[at]), f"has {what}")
        pairs = np.sort(of_pair * self.about.num_classes + rows.classes)
        twice = pairs[1:][pairs[1:] == pairs[:-1]]
        if len(twice):
            row, held = divmod(int(twice[0]), self.about.num_classes)
            self._refuse_row(first + row, f"has class {held} more than once")
        listed = np.zeros(len(rows), bool)
        listed[of_pair[rows.classes == rows.drawn_for[of_pair]]] = True
        self._refuse(
            (rows.drawn_for >= 0) & ~listed,
            first,
            lambda row: f"was drawn for class {rows.drawn_for[row]}, of which it says nothing",
        )

    def _refuse(self, bad: NDArray[np.bool_], first: int, what: Callable[[int], str]) -> None:
        if bad.any():
            row = int(bad.argmax())
            self._refuse_row(first + row, what(row))

    def _refuse_row(self, row: int, what: str) -> None:
        raise self._broken(f"row {row} {what}")

    def _broken(self, what: str) -> DataError:
        return DataError(what, where=self.path, hint=_AGAIN)


def open_soft(path: Path) -> SoftFile:
    """Open a file of soft labels; rows are read only when asked for.

    Raises:
        DataError: there is no such file, it is not Parquet, or not one of soft labels.
    """
    if not path.is_file():
        what = "is a folder, not a file of soft labels" if path.is_dir() else "is not there"
        raise DataError(what, where=path, hint=_HINT)
    try:
        schema = pq.read_schema(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        what = f"cannot be read as Parquet ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    about = AboutSoft.from_metadata(schema.metadata, path)
    if missing := [name for name in SCHEMA.names if name not in schema.names]:
        raise DataError(
            f"lacks the columns {', '.join(missing)} of soft labels", where=path, hint=_HINT
        )
    return SoftFile(path, about)


def holds_soft(path: Path) -> bool:
    """Tell whether a file is one of soft labels, broken or not, and not of something else."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return bool(json.loads(metadata[b"reeltag"])["format"] == _FORMAT)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return False
