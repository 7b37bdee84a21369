"""Soft labels: a teacher's probabilities of videos and segments, kept as Parquet.

One row is a 5-second segment or a whole video:

    id         string
    start_s    float64        second at which the window begins; null for a whole video
    end_s      float64        second at which it ends; null for a whole video
    classes    list<int32>    that the teacher scored, each once
    probs      list<float32>  in [0, 1], in the order of `classes`
    drawn_for  int32          label that the segment was drawn for; null where none was

Its metadata, under `reeltag`, hold a `SoftLabelInfo` as JSON. Any other tool opens the file too.

Letters in shapes: N rows, E entries (a class of a row with its probability), C classes.
"""

import importlib.metadata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike, whole_file
from reeltag.labels.random_keys import id_keys
from reeltag.labels.segment_sampling import draw_equal
from reeltag.predictions.file import PredictionInfo
from reeltag.predictions.metadata import RowsInfo
from reeltag.predictions.rows import PredictionRows, StoredRows, window_keys
from reeltag.predictions.sealed_parquet import open_checked, sealed_parquet_writer

_GROUP_ROWS = 1 << 17  # a row group
_READ_ROWS = 1 << 16
_AGAIN = "Write the file again with `reeltag soft-labels`."

NOT_DRAWN = -1
"""`drawn_for` of a row that was not drawn for a label."""


@dataclass(frozen=True, eq=False)
class SoftLabelRows(StoredRows):
    """Soft labels of N whole videos and segments.

    Attributes:
        drawn_for: (N,) int32, the label that each was drawn for; `NOT_DRAWN` for none.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = ("ids", "starts", "ends", "drawn_for")
    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            *list(PredictionRows.SCHEMA)[:4],
            ("probs", pa.list_(pa.float32())),
            ("drawn_for", pa.int32()),
        ]
    )

    drawn_for: NDArray[np.int32] = field(kw_only=True)

    @property
    def probs(self) -> NDArray[np.float32]:
        """(E,) in [0, 1]."""
        return self.values


def draw_keys(ids: pa.Array, starts: NDArray[np.float64], seed: int) -> NDArray[np.uint64]:
    """Return (N,) random numbers for equal draws, by id, start and seed."""
    encoded = ids.dictionary_encode()
    keys = id_keys(encoded.dictionary.to_pylist(), seed, "equal soft labels")
    return window_keys(keys[encoded.indices.to_numpy()], starts)


@dataclass(frozen=True, kw_only=True)
class SoftLabelInfo(RowsInfo):
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
        seed: random seed of the draws.
        version: of reeltag.
    """

    ROWS: ClassVar[type[StoredRows]] = SoftLabelRows
    MARK: ClassVar[tuple[str, str]] = ("format", "soft labels 1")
    WHAT: ClassVar[str] = "a file of soft labels"
    HINT: ClassVar[str] = (
        "Soft labels are written by `reeltag soft-labels RUN --data DATA --out SOFT.parquet`."
    )

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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the info of a file; DataError also where a segment class has no name."""
        if PredictionInfo.marks(path):
            raise DataError(
                "holds predictions (logits), not soft labels (probabilities)",
                where=path,
                hint=f"`reeltag soft-labels --from {path} --data DATA --out SOFT.parquet` converts "
                "them.",
            )
        found = super().read(path)
        for beyond in (of for of in found.segment_classes if not 0 <= of < found.num_classes):
            what = f"reeltag.segment_classes has class {beyond}, outside 0..{found.num_classes - 1}"
            raise DataError(what, where=path, hint=cls.HINT)
        return found


class SoftLabelWriter:
    """Gathers rows into row groups; see `soft_label_writer`."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._waiting: list[pa.RecordBatch] = []
        self._num_waiting = 0

    def write(self, rows: SoftLabelRows) -> None:
        """Append rows."""
        self._waiting.append(rows.to_arrow())
        self._num_waiting += len(rows)
        if self._num_waiting >= _GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the gathered rows as one row group."""
        if self._num_waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, SoftLabelRows.SCHEMA))
        self._waiting, self._num_waiting = [], 0


@contextmanager
def soft_label_writer(path: PathLike, info: SoftLabelInfo) -> Iterator[SoftLabelWriter]:
    """Yield a writer of rows; the file appears whole or not at all.

    OutputError where the disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    with whole_file(path) as part, sealed_parquet_writer(part, info.schema(), "id") as file:
        writer = SoftLabelWriter(file)
        yield writer
        writer.flush()


@dataclass(frozen=True)
class SoftLabelFile:
    """A file of soft labels, read some ten thousand rows at a time.

    Attributes:
        path: of the file.
        info: where it comes from.
    """

    path: Path
    info: SoftLabelInfo

    def rows(self) -> Iterator[SoftLabelRows]:
        """Yield all rows, in the order of the file.

        Raises:
            DataError: the file is damaged, or a row of it breaks the rules above.
        """
        first = 0
        try:
            with open_checked(self.path) as file:
                for batch in file.iter_batches(_READ_ROWS, columns=SoftLabelRows.SCHEMA.names):
                    yield self._read_rows(batch.cast(SoftLabelRows.SCHEMA), first)
                    first += len(batch)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._broken(f"cannot be read ({reason_of(error)})") from error

    def read(self) -> SoftLabelRows:
        """Return all rows at once; errors as `rows`."""
        return SoftLabelRows.concatenate(self.rows())

    def drawn(self, per_class: int, *, keep_outside: bool = False) -> Iterator[SoftLabelRows]:
        """Yield the rows that `draw_equal` draws, m for each class; the file is read twice.

        The random numbers are those of the file's seed, so that the draws are always the same.
        Memory: 13 bytes a row.

        Args:
            per_class: m >= 1.
            keep_outside: draw for classes outside `info.segment_classes` too, and keep their
                probabilities; else both are left out.
        """
        drawn_for, keys = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
        for rows in self.rows():
            drawn_for.append(rows.drawn_for)
            keys.append(draw_keys(rows.ids, rows.starts, self.info.seed))
        classes = () if keep_outside else self.info.segment_classes
        drawn = draw_equal(np.concatenate(drawn_for), np.concatenate(keys), per_class, classes)
        if not drawn.any():
            raise DataError(
                "has no row that was drawn for a class: nothing can be drawn from it",
                where=self.path,
                hint="Draws need segments that `reeltag soft-labels RUN` chose, and their classes.",
            )
        first = 0
        for rows in self.rows():
            kept = rows.where(drawn[first : first + len(rows)])
            first += len(rows)
            yield kept.keep(np.isin(kept.classes, classes)) if classes else kept

    def _read_rows(self, batch: pa.RecordBatch, first: int) -> SoftLabelRows:
        """Return a batch of rows; DataError that names the first row that is not allowed."""
        classes, probs = batch.column("classes"), batch.column("probs")
        missing = pc.or_(pc.is_null(batch.column("id")), pc.is_null(classes))
        missing = pc.or_(missing, pc.is_null(probs)).to_numpy(zero_copy_only=False)
        self._check(missing, first, lambda _: "has no id, no classes or no probabilities")
        lengths = pc.not_equal(pc.list_value_length(classes), pc.list_value_length(probs))
        differ = lengths.to_numpy(zero_copy_only=False)
        self._check(differ, first, lambda _: "has not as many probabilities as classes")
        for column in (classes, probs):
            if column.flatten().null_count:
                row = pc.list_parent_indices(column).filter(pc.is_null(column.flatten()))[0]
                raise self._broken_row(first + row.as_py(), "has a class or probability of null")
        start, end = batch.column("start_s"), batch.column("end_s")
        half = pc.xor(pc.is_null(start), pc.is_null(end)).to_numpy(zero_copy_only=False)
        self._check(half, first, lambda _: "has a start and no end, or an end and no start")
        wrong = pc.or_(pc.less(start, 0), pc.less_equal(end, start))
        wrong = pc.fill_null(wrong, False).to_numpy(zero_copy_only=False)
        what = "begins before 0 s, or does not end after its start"
        self._check(wrong, first, lambda _: what)
        rows = SoftLabelRows.from_arrow(batch)
        self._check_values(rows, first)
        return rows

    def _check_values(self, rows: SoftLabelRows, first: int) -> None:
        """Raise DataError that names the first row with a class or probability out of range."""
        of_entry, size = rows.row_of_entry(), self.info.num_classes
        for bad, what in (
            (~((rows.probs >= 0) & (rows.probs <= 1)), "the probability {prob} of class {of}, "
             "outside [0, 1]"),
            ((rows.classes < 0) | (rows.classes >= size), "the class {of}, "
             f"outside 0..{size - 1}"),
        ):  # fmt: skip
            if bad.any():
                at = int(bad.argmax())
                what = what.format(prob=rows.probs[at], of=rows.classes[at])
                raise self._broken_row(first + int(of_entry[at]), f"has {what}")
        cells = np.sort(rows.cells(size))
        twice = cells[1:][cells[1:] == cells[:-1]]
        if len(twice):
            row, held = divmod(int(twice[0]), size)
            raise self._broken_row(first + row, f"has class {held} more than once")
        listed = np.zeros(len(rows), bool)
        listed[of_entry[rows.classes == rows.drawn_for[of_entry]]] = True
        self._check(
            (rows.drawn_for != NOT_DRAWN) & ~listed,
            first,
            lambda row: f"was drawn for class {rows.drawn_for[row]}, which it does not list",
        )

    def _check(self, bad: NDArray[np.bool_], first: int, what: Callable[[int], str]) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise self._broken_row(first + row, what(row))

    def _broken_row(self, row: int, what: str) -> DataError:
        return self._broken(f"row {row} {what}")

    def _broken(self, what: str) -> DataError:
        return DataError(what, where=self.path, hint=_AGAIN)


def open_soft_labels(path: PathLike) -> SoftLabelFile:
    """Open a file of soft labels; its rows are read later.

    DataError where there is no such file, it is not Parquet, or not one of soft labels.
    """
    path = Path(path)
    return SoftLabelFile(path, SoftLabelInfo.read(path))
