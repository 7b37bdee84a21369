"""How often each video is in a replicate of the bootstrap, and sums of that over many things.

Letters in shapes: V videos, R replicates, N things that belong to a video, B bags, Q quantities.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

MOST_IN_BAG = 1 << 16  # sums of so many weights are below 2**24: exact in float32
_COLUMNS = 32  # replicates that are written into the table at once
_VIDEOS = 1 << 14  # that many videos x R at a time
_SCALE_AND_BIAS = 8  # bytes after each row: what torch's table of bytes is multiplied by, and plus


class VideoWeights:
    """The weights of V videos in R replicates, a byte each.

    A thing of no video, whose owner is -1, has the weight 0.

    Args:
        weights: the weights (V,) in each replicate, whole numbers in [0, 255]; they are filled in
            one after the other.
        num_videos: V.
        replicates: R.
    """

    def __init__(self, weights: Iterable[Tensor], num_videos: int, replicates: int) -> None:
        self.replicates = replicates
        shape = num_videos + 1, replicates + _SCALE_AND_BIAS
        self._packed = torch.zeros(shape, dtype=torch.uint8)
        one = torch.tensor([1.0, 0.0], dtype=torch.float32).view(torch.uint8)
        self._packed[:, replicates:] = one
        for some, at in _groups(weights, replicates):
            self.each[:, at].copy_(torch.stack(some).T)

    @classmethod
    def of_table(cls, weights_VR: Tensor) -> "VideoWeights":
        """Return weights that are in a table (V, R) already."""
        return cls(weights_VR.T, *weights_VR.shape)

    @property
    def each(self) -> Tensor:
        """The weights (V, R), uint8."""
        return self._packed[1:, : self.replicates]

    def of(self, owners_N: Tensor) -> Tensor:
        """Return the weights (N, R) of things, float32.

        Args:
            owners_N: the video of each, int32 or int64.
        """
        return self.sums(owners_N, torch.arange(len(owners_N), dtype=owners_N.dtype))

    def sums(self, owners_N: Tensor, bags_B: Tensor) -> Tensor:
        """Return the sums (B, R) of the weights in each bag, float32 and exact.

        Args:
            owners_N: the video of each thing, int32 or int64.
            bags_B: where each bag begins, rising from 0, of the same type; none holds more than
                `MOST_IN_BAG` things.
        """
        if _sums_of_bytes is None:
            return embedding_bag(owners_N + 1, self._wide, bags_B, mode="sum")
        found: Tensor = _sums_of_bytes(self._packed, owners_N + 1, bags_B)
        return found

    def totals(self, values_QV: Tensor) -> Tensor:
        """Return the weighted sums (Q, R) of values of the videos, float64."""
        total_QR = torch.zeros(len(values_QV), self.replicates, dtype=torch.double)
        for first in range(0, values_QV.shape[1], _VIDEOS):
            part = slice(first, first + _VIDEOS)
            total_QR += values_QV[:, part].double() @ self.each[part].double()
        return total_QR

    @cached_property
    def _wide(self) -> Tensor:
        return self._packed[:, : self.replicates].float()


def _groups(weights: Iterable[Tensor], number: int) -> Iterator[tuple[list[Tensor], slice]]:
    """Yield the weights some replicates at a time, and which these are.

    A column alone would take as long to write as many: a line of the processor's cache is read and
    written for each byte.
    """
    remaining = iter(weights)
    for first in range(0, number, _COLUMNS):
        some = list(islice(remaining, min(_COLUMNS, number - first)))
        yield some, slice(first, first + len(some))


def _table_of_bytes() -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """Return torch's sums of rows of bytes, a private operator; None where torch lacks it."""
    operator = getattr(torch.ops.quantized, "embedding_bag_byte_rowwise_offsets", None)
    return None if operator is None else operator.default


_sums_of_bytes = _table_of_bytes()
