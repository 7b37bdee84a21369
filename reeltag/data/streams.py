"""What a data set holds for each second of a video, and the columns of its index."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

Kind: TypeAlias = Literal["video", "frames"]
StoredDtype: TypeAlias = Literal["uint8", "float16", "float32"]

MAX_CLASSES = 1 << 20  # a label from here on is taken for damage, whatever the class list

MISSING = "missing_"


def missing_key(stream: str) -> str:
    """Return the context key of frames without a stream: first, end, first, end, ...

    Such frames hold 0 in each feature of pictures, and the features of silence.
    """
    return MISSING + stream


TABLE_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),  # which of Index.shards
        ("offset", pa.int64()),  # of the payload in the shard
        ("size", pa.int32()),  # of the payload
        ("id", pa.string()),
        ("frames", pa.int32()),  # 1 for a video-level record
        ("labels", pa.list_(pa.int32())),  # sorted, each once, all in the vocabulary
        ("label_names", pa.list_(pa.string())),  # where a record has text as labels
        ("segment_starts", pa.list_(pa.float64())),  # seconds; these four are parallel
        ("segment_ends", pa.list_(pa.float64())),  # seconds
        ("segment_labels", pa.list_(pa.int32())),
        ("segment_scores", pa.list_(pa.float32())),
        ("segment_names", pa.list_(pa.string())),  # parallel, where the classes are text
        ("problem", pa.string()),  # names joined by semicolons; null for a sound record
        ("skip", pa.bool_()),  # not to be used
        ("start", pa.list_(pa.int32())),  # a stream each: first byte, relative to `offset`
        ("stride", pa.list_(pa.int32())),  # bytes from frame to frame; 0: scan the record
    ]
)


@dataclass(frozen=True)
class Stream:
    """One kind of feature, present in every frame of every record.

    Attributes:
        name: as in the records ("rgb", "audio", "mean_rgb", ...).
        width: values per frame.
        dtype: of the stored values; "uint8" in published frame-level records, "float32" in
            video-level ones.
    """

    name: str
    width: int
    dtype: StoredDtype

    @property
    def num_bytes(self) -> int:
        """Bytes per frame."""
        return self.width * np.dtype(self.dtype).itemsize


def in_order(streams: Iterable[Stream]) -> tuple[Stream, ...]:
    """Return the streams in the order in which they are in a batch.

    Names with "rgb" come first, as in YouTube-8M, then the others by the alphabet: the order in a
    record is that of a hash map and means nothing.
    """
    return tuple(sorted(streams, key=lambda stream: ("rgb" not in stream.name, stream.name)))
