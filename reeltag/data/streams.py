"""What a data set holds for each second of a video, and the columns of its index."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa

Kind: TypeAlias = Literal["video", "frames"]

MAX_CLASSES = 1 << 20  # a label from here on is taken for damage, whatever the class list

TABLE_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),  # which of Index.shards
        ("offset", pa.int64()),  # of the payload in the shard
        ("size", pa.int32()),  # of the payload
        ("id", pa.string()),
        ("frames", pa.int32()),  # 1 for a video-level record
        ("labels", pa.list_(pa.int32())),  # sorted, each once, all in the vocabulary
        ("segment_starts", pa.list_(pa.int32())),  # seconds; these three are parallel
        ("segment_labels", pa.list_(pa.int32())),
        ("segment_scores", pa.list_(pa.float32())),
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
        dtype: "uint8" as frame-level records store it, "float32" as video-level ones do.
    """

    name: str
    width: int
    dtype: Literal["uint8", "float32"]

    @property
    def num_bytes(self) -> int:
        """Bytes per frame."""
        return self.width * (4 if self.dtype == "float32" else 1)


def in_order(streams: Iterable[Stream]) -> tuple[Stream, ...]:
    """Return the streams in the order in which they are in a batch.

    Names with "rgb" come first, as in YouTube-8M, then the others by the alphabet: the order in a
    record is that of a hash map and means nothing.
    """
    return tuple(sorted(streams, key=lambda stream: ("rgb" not in stream.name, stream.name)))
