"""Rows of predictions in memory, as they go to files and come from them.

A row is a whole video or a segment of one: in files `start_s` is null for a whole video, in memory
its start is `WHOLE_VIDEO`.

Letters in shapes: N rows, E entries (a class of a row with its score), k classes of a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.sparse import SparseRows, from_lists, to_lists

Kind: TypeAlias = Literal["videos", "segments"]
KINDS: tuple[Kind, ...] = ("videos", "segments")

WHOLE_VIDEO = -1
"""The start of a row of a whole video."""


def row_name(video: str, start: int) -> str:
    """Return how a row is named in errors: "'x'" for a whole video, or "'x' at 5 s"."""
    return repr(video) if start == WHOLE_VIDEO else f"{video!r} at {start} s"


@dataclass(frozen=True, eq=False)
class TimedRows(SparseRows):
    """N rows of whole videos or of segments.

    Attributes:
        ids: (N,) strings, an Arrow array: the video of each row.
        starts: (N,) int32, in seconds; `WHOLE_VIDEO` for a whole video.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = ("ids", "starts")

    values: NDArray[np.float32] = field()
    ids: pa.Array = field(kw_only=True)
    starts: NDArray[np.int32] = field(kw_only=True)

    def row_name(self, row: int) -> str:
        """Return how a row is named in errors; see `row_name`."""
        return row_name(self.ids[row].as_py(), int(self.starts[row]))

    @property
    def kind(self) -> Kind:
        """Whether these are whole videos or segments, where all rows are of one kind."""
        return "segments" if len(self) and self.starts[0] != WHOLE_VIDEO else "videos"


@dataclass(frozen=True, eq=False)
class StoredRows(TimedRows):
    """Rows that a Parquet file holds.

    A subclass gives the `SCHEMA` of the file: id, start_s, classes, the values, and its further
    row columns, of int32 and null where they are -1.
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
        start, *others = (pa.array(column, mask=column < 0) for column in numbers)
        lists = to_lists(self.indptr, self.classes, self.values)
        return pa.RecordBatch.from_arrays([self.ids, start, *lists, *others], schema=self.SCHEMA)

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch) -> Self:
        """Return the rows of a `to_arrow` batch; ids and lists must not be null."""
        ids, start, classes, values, *others = batch.select(cls.SCHEMA.names).columns
        numbers = [column.fill_null(-1).to_numpy() for column in (start, *others)]
        columns = dict(zip(cls.ROW_COLUMNS, [ids, *numbers], strict=True))
        return cls(*from_lists(classes, values), **columns)


@dataclass(frozen=True, eq=False)
class PredictionRows(StoredRows):
    """Predictions of N whole videos, or of N segments; the classes of a row are best first."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            ("id", pa.string()),
            ("start_s", pa.int32()),
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
        starts: NDArray[np.int32] | int,
        classes_Nk: NDArray[np.int32],
        scores_Nk: NDArray[np.float32],
    ) -> Self:
        """Return rows of k classes each; `starts` may be one number for all, as `WHOLE_VIDEO`."""
        num_rows, k = classes_Nk.shape
        return cls(
            np.arange(num_rows + 1, dtype=np.int64) * k,
            classes_Nk.reshape(-1),
            scores_Nk.reshape(-1),
            ids=pa.array(ids, pa.string()),
            starts=np.broadcast_to(np.asarray(starts, np.int32), num_rows),
        )

    def without_empty(self) -> Self:
        """Return the rows that hold at least one class."""
        return self.where(self.counts() > 0)
