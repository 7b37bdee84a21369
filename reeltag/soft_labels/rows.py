"""Rows of soft labels in memory, flat, as they go to files and come from them.

Letters in shapes: N rows, P pairs of a row and a class.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.labels.random_keys import id_keys, mixed

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("start_s", pa.int32()),
        ("classes", pa.list_(pa.int32())),
        ("probs", pa.list_(pa.float32())),
        ("drawn_for", pa.int32()),
    ]
)


@dataclass(frozen=True, eq=False)
class SoftRows:
    """N rows of soft labels in memory, flat: row i owns pairs bounds[i]:bounds[i+1].

    Attributes:
        ids: (N,) strings, an Arrow array.
        starts: (N,) int32 seconds; -1 for a whole video.
        bounds: (N + 1,) int64.
        classes: (P,) int32.
        probs: (P,) float32.
        drawn_for: (N,) int32; -1 for none.
    """

    ids: pa.Array
    starts: NDArray[np.int32]
    bounds: NDArray[np.int64]
    classes: NDArray[np.int32]
    probs: NDArray[np.float32]
    drawn_for: NDArray[np.int32]

    def __len__(self) -> int:
        """Return N."""
        return len(self.starts)

    def row_of_pair(self) -> NDArray[np.int64]:
        """Return (P,) the row that each pair belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def where(self, keep: NDArray[np.bool_]) -> "SoftRows":
        """Return the rows where `keep` (N,)."""
        pairs = keep[self.row_of_pair()]
        return SoftRows(
            self.ids.filter(pa.array(keep)),
            self.starts[keep],
            np.append(0, np.cumsum(np.diff(self.bounds)[keep])),
            self.classes[pairs],
            self.probs[pairs],
            self.drawn_for[keep],
        )

    def of_classes(self, classes: Sequence[int]) -> "SoftRows":
        """Return the rows with only the pairs of some classes; a row may become empty."""
        kept = np.isin(self.classes, classes)
        before = np.append(0, np.cumsum(kept))
        bounds = before[self.bounds]
        return dataclasses.replace(
            self, bounds=bounds, classes=self.classes[kept], probs=self.probs[kept]
        )

    def to_arrow(self) -> pa.RecordBatch:
        """Return the rows in the schema of the file."""
        bounds = pa.array(self.bounds.astype(np.int32))
        columns = [
            self.ids,
            pa.array(self.starts, mask=self.starts < 0),
            pa.ListArray.from_arrays(bounds, pa.array(self.classes)),
            pa.ListArray.from_arrays(bounds, pa.array(self.probs)),
            pa.array(self.drawn_for, mask=self.drawn_for < 0),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch) -> "SoftRows":
        """Return what `to_arrow` made; ids and lists must not be null."""
        starts, drawn_for = (
            pc.fill_null(batch.column(name), -1).to_numpy() for name in ("start_s", "drawn_for")
        )
        lengths = pc.list_value_length(batch.column("classes")).to_numpy()
        return cls(
            batch.column("id"),
            starts,
            np.append(0, np.cumsum(lengths, dtype=np.int64)),
            batch.column("classes").flatten().to_numpy(),
            batch.column("probs").flatten().to_numpy(),
            drawn_for,
        )


def joined_rows(parts: Iterable[SoftRows]) -> SoftRows:
    """Return the rows of all parts in one."""
    empty = SoftRows.from_arrow(pa.RecordBatch.from_pylist([], schema=SCHEMA))
    rows = [empty, *parts]
    return SoftRows(
        pa.concat_arrays([part.ids for part in rows]),
        np.concatenate([part.starts for part in rows]),
        np.append(0, np.cumsum(np.concatenate([np.diff(part.bounds) for part in rows]))),
        np.concatenate([part.classes for part in rows]),
        np.concatenate([part.probs for part in rows]),
        np.concatenate([part.drawn_for for part in rows]),
    )


def segment_keys(ids: pa.Array, starts: NDArray[np.int32], seed: int) -> NDArray[np.uint64]:
    """Return (N,) the random numbers that equal draws go by; a matter of id, start and seed."""
    encoded = ids.dictionary_encode()
    keys = id_keys(encoded.dictionary.to_pylist(), seed, "equal soft labels")
    return mixed(keys[encoded.indices.to_numpy()], starts)
