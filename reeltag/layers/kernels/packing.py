"""Real frames of a batch in the order in which a recurrent layer reads them.

    step 0 of all videos | step 1 of those that have one | ...      longest video first

Each step is one block of rows, and the videos that go on are its first rows, so nothing is
computed for padding and a video's state stays what it was after its last frame.

Shape letters: B videos, T frames (padded), N real frames of the batch, D features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context


@dataclass(frozen=True, eq=False)
class Packing:
    """The order of reading; made by `packing_of`.

    Attributes:
        shape: (B, T).
        places: (N,) int64, the place of row n in the flattened (B * T).
        order: (B,) int64, the videos, longest first.
        counts: rows of each step, never increasing.
    """

    shape: tuple[int, int]
    places: Tensor
    order: Tensor
    counts: list[int]

    def blocks(self) -> list[slice]:
        """Return the rows of each step."""
        return [slice(*ends) for ends in pairwise(accumulate(self.counts, initial=0))]

    def chunks(self, rows: int) -> Iterator[range]:
        """Yield runs of steps that have at most about `rows` rows together."""
        first, total = 0, 0
        for step, count in enumerate(self.counts):
            if total and total + count > rows:
                yield range(first, step)
                first, total = step, 0
            total += count
        if total:
            yield range(first, len(self.counts))

    def earlier(self) -> Tensor:
        """Return, for each row after the first step, the row of that video one step earlier."""
        counts = torch.tensor(self.counts, dtype=torch.int64, device=self.places.device)
        first = self.counts[0] if self.counts else 0
        rows = torch.arange(first, len(self.places), device=counts.device)
        return rows - counts[:-1].repeat_interleave(counts[1:])

    def pack(self, x_BTD: Tensor) -> Tensor:
        """Return the real frames (N, D)."""
        x_ND: Tensor = _Gather.apply(x_BTD.flatten(0, 1), self.places)
        return x_ND

    def unpack(self, x_ND: Tensor) -> Tensor:
        """Return (B, T, D) with the rows at their frames, 0 in the padding."""
        out = x_ND.new_zeros(self.shape[0] * self.shape[1], x_ND.shape[1])
        return out.index_copy(0, self.places, x_ND).view(*self.shape, x_ND.shape[1])

    def restore(self, state_BD: Tensor) -> Tensor:
        """Return the states (B, D), given longest first, in the order of the batch."""
        state: Tensor = _Gather.apply(state_BD, self.order.argsort())
        return state


def packing_of(mask_BT: Tensor, *, reverse: bool = False) -> Packing:
    """Return the order of reading the real frames of `mask_BT`.

    Args:
        mask_BT: bool, True for a real frame; padding between real frames is skipped.
        reverse: each video from its last real frame to its first.
    """
    length_B = mask_BT.sum(dim=1)
    order_B = length_B.argsort(descending=True, stable=True)
    step_BT = mask_BT.cumsum(dim=1) - 1
    if reverse:
        step_BT = length_B.unsqueeze(1) - 1 - step_BT
    key_BT = step_BT * len(order_B) + order_B.argsort().unsqueeze(1)
    real_N = mask_BT.flatten().nonzero().squeeze(1)
    place_N = real_N[key_BT.flatten()[real_N].argsort()]
    counts = step_BT.flatten()[real_N].bincount().tolist()
    return Packing((mask_BT.shape[0], mask_BT.shape[1]), place_N, order_B, counts)


class _Gather(torch.autograd.Function):
    """Distinct rows of a matrix; their gradients are copied back, which is faster than added."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, index_N: Tensor) -> Tensor:
        ctx.save_for_backward(index_N)
        ctx.rest = len(x)
        return x.index_select(0, index_N)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor, None]:
        (index_N,) = ctx.saved_tensors
        gradient = gradients[0].new_zeros(ctx.rest, gradients[0].shape[1])
        return gradient.index_copy_(0, index_N, gradients[0]), None
