"""Rows of predictions in memory, flat, as they go to files and come from them.

Letters in shapes: N rows, P pairs of a row and a class, k classes a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Kind: TypeAlias = Literal["videos", "segments"]

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("start_s", pa.int32()),
        ("classes", pa.list_(pa.int32())),
        ("scores", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Rows:
    """Predictions of N videos, or of N segments, flat: row i owns pairs offsets[i]:offsets[i+1].

    Attributes:
        ids: (N,) strings, an Arrow array.
        starts: (N,) int32 seconds; None for whole videos.
        offsets: (N + 1,) int64.
        classes: (P,) int32, best first within a row.
        scores: (P,) float32 logits.
    """

    ids: pa.Array
    starts: NDArray[np.int32] | None
    offsets: NDArray[np.int64]
    classes: NDArray[np.int32]
    scores: NDArray[np.float32]

    @classmethod
    def of_matrix(
        cls,
        ids: Sequence[str],
        starts: NDArray[np.int32] | None,
        classes_Nk: NDArray[np.int32],
        scores_Nk: NDArray[np.float32],
    ) -> "Rows":
        """Return the rows of which each holds the same number k of classes."""
        num_rows, k = classes_Nk.shape
        offsets = np.arange(num_rows + 1, dtype=np.int64) * k
        array = pa.array(ids, pa.string())
        return cls(array, starts, offsets, classes_Nk.reshape(-1), scores_Nk.reshape(-1))

    @classmethod
    def joined(cls, parts: "Sequence[Rows]") -> "Rows":
        """Return the rows of one or more parts of the same kind, one after another."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        starts = [part.starts for part in parts if part.starts is not None]
        return cls(
            pa.concat_arrays([part.ids for part in parts]),
            np.concatenate(starts) if starts else None,
            np.append(0, np.cumsum(lengths, dtype=np.int64)),
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch, kind: Kind) -> "Rows":
        """Return what `to_arrow` made; all rows must be of that kind, without nulls in lists."""
        lengths = pc.list_value_length(batch.column("classes")).to_numpy(zero_copy_only=False)
        return cls(
            batch.column("id"),
            None if kind == "videos" else batch.column("start_s").to_numpy(),
            np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            batch.column("classes").flatten().to_numpy(),
            batch.column("scores").flatten().to_numpy(),
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    def row_of_pair(self) -> NDArray[np.int64]:
        """Return (P,) the row that each pair belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    def where(self, keep: NDArray[np.bool_]) -> "Rows":
        """Return the rows with only the pairs where `keep` (P,); a row may become empty."""
        kept_before = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
        offsets = kept_before[self.offsets]
        return Rows(self.ids, self.starts, offsets, self.classes[keep], self.scores[keep])

    def without_empty(self) -> "Rows":
        """Return the rows that hold at least one class."""
        lengths = np.diff(self.offsets)
        full = lengths > 0
        return Rows(
            self.ids.filter(pa.array(full)),
            None if self.starts is None else self.starts[full],
            np.concatenate([[0], np.cumsum(lengths[full])]),
            self.classes,
            self.scores,
        )

    def to_arrow(self) -> pa.RecordBatch:
        """Return the rows in the schema of the file."""
        offsets = pa.array(self.offsets.astype(np.int32))
        starts = pa.nulls(len(self), pa.int32()) if self.starts is None else pa.array(self.starts)
        columns = [
            self.ids,
            starts,
            pa.ListArray.from_arrays(offsets, pa.array(self.classes)),
            pa.ListArray.from_arrays(offsets, pa.array(self.scores)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
