"""Rows of predictions in memory, as they go to files and come from them.

A row is a whole video or a window [start, end) of one, in seconds: in files `start_s` and `end_s`
are null for a whole video, in memory they are `WHOLE_VIDEO`.

Letters in shapes: N rows, E entries (a class of a row with its score), k classes of a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.seeding import mixed
from reeltag.core.sparse import SparseRows, from_lists, to_lists

Kind: TypeAlias = Literal["videos", "segments"]
KINDS: tuple[Kind, ...] = ("videos", "segments")

WHOLE_VIDEO = -1.0
"""Start and end of a row of a whole video."""


def row_name(video: str, start: float) -> str:
    """Return how a row is named in errors: "'x'" for a whole video, or "'x' at 5 s"."""
    return repr(video) if start == WHOLE_VIDEO else f"{video!r} at {start:g} s"


def window_keys(owners: NDArray[np.integer], *times: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return (N,) a hash of each owner (a number or a hash) and its times, to the millisecond.

    Two of six million different windows have the same hash with a probability of one in a million.
    Whole seconds count as such, so that keys of published segments depend on nothing else.
    """
    keys = owners.astype(np.uint64)
    for seconds in times:
        milliseconds = np.rint(seconds * 1000).astype(np.int64)
        whole, rest = np.divmod(milliseconds, 1000)
        keys = mixed(keys, np.where(rest == 0, whole, milliseconds + (1 << 40)))
    return keys


@dataclass(frozen=True, eq=False)
class TimedRows(SparseRows):
    """N rows of whole videos or of windows of them.

    Attributes:
        ids: (N,) strings, an Arrow array: the video of each row.
        starts: (N,) float64, seconds at which each begins; `WHOLE_VIDEO` for a whole video.
        ends: (N,) float64, seconds at which each ends; `WHOLE_VIDEO` for a whole video.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = ("ids", "starts", "ends")

    values: NDArray[np.float32] = field()
    ids: pa.Array = field(kw_only=True)
    starts: NDArray[np.float64] = field(kw_only=True)
    ends: NDArray[np.float64] = field(kw_only=True)

    def row_name(self, row: int) -> str:
        """Return how a row is named in errors; see `row_name`."""
        return row_name(self.ids[row].as_py(), float(self.starts[row]))

    @property
    def kind(self) -> Kind:
        """Whether these are whole videos or segments, where all rows are of one kind."""
        return "segments" if len(self) and self.starts[0] != WHOLE_VIDEO else "videos"


@dataclass(frozen=True, eq=False)
class StoredRows(TimedRows):
    """Rows that a Parquet file holds.

    A subclass gives the `SCHEMA` of the file: id, start_s, end_s, classes, the values, and its
    further row columns, of numbers that are null where they are -1.
    """

    SCHEMA: ClassVar[pa.Schema]

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Return the rows of all parts, one part after the other; no parts give no rows."""
        empty = pa.RecordBatch.from_pylist([], schema=cls.SCHEMA)
        return super().concatenate([*parts] or [cls.from_arrow(empty)])

    def to_arrow(self) -> pa.RecordBatch:
        """Return the rows in the schema of the file."""
        numbers = [getattr(self, name) for name in self.ROW_COLUMNS[1:]]
        start, end, *others = (pa.array(column, mask=column < 0) for column in numbers)
        lists = to_lists(self.indptr, self.classes, self.values)
        columns = [self.ids, start, end, *lists, *others]
        return pa.RecordBatch.from_arrays(columns, schema=self.SCHEMA)

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch) -> Self:
        """Return the rows of a `to_arrow` batch; ids and lists must not be null."""
        ids, start, end, classes, values, *others = batch.select(cls.SCHEMA.names).columns
        numbers = [column.fill_null(-1).to_numpy() for column in (start, end, *others)]
        columns = dict(zip(cls.ROW_COLUMNS, [ids, *numbers], strict=True))
        return cls(*from_lists(classes, values), **columns)


@dataclass(frozen=True, eq=False)
class PredictionRows(StoredRows):
    """Predictions of N whole videos, or of N segments; the classes of a row are best first."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            ("id", pa.string()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("classes", pa.list_(pa.int32())),
            ("scores", pa.list_(pa.float32())),
        ]
    )

    @property
    def scores(self) -> NDArray[np.float32]:
        """(E,) logits."""
        return self.values

    def rises(self) -> NDArray[np.bool_]:
        """Return (E,) which scores exceed the one before them: a row is then not best first."""
        return (np.diff(self.scores, prepend=self.scores[:1]) > 0) & (self.place_in_row() > 0)

    @classmethod
    def of_matrix(
        cls,
        ids: Sequence[str],
        times: NDArray[np.float64] | None,
        classes_Nk: NDArray[np.int32],
        scores_Nk: NDArray[np.float32],
    ) -> Self:
        """Return rows of k classes each; `times` (N, 2) are start and end, None: whole videos."""
        num_rows, k = classes_Nk.shape
        times = np.full((num_rows, 2), WHOLE_VIDEO) if times is None else times
        return cls(
            np.arange(num_rows + 1, dtype=np.int64) * k,
            classes_Nk.reshape(-1),
            scores_Nk.reshape(-1),
            ids=pa.array(ids, pa.string()),
            starts=times[:, 0],
            ends=times[:, 1],
        )

    def without_empty(self) -> Self:
        """Return the rows that hold at least one class."""
        return self.where(self.counts() > 0)
