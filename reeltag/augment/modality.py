"""Modality dropout: an item loses one of its streams, so that a model learns to do without it.

Shape letters: B items, S streams, D widths of all streams together.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def surviving_streams(
    num_items: int,
    dims: Sequence[int],
    probability: float,
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return (B, D) float32: 0 over the one stream that an item loses, 1 elsewhere.

    Each item loses a stream with `probability`, which one is uniform; never more than one.

    Args:
        num_items: B.
        dims: widths of the streams, at least two.
        probability: in [0, 1].
        device: on which it is drawn, from torch's generator there.

    Raises:
        ValueError: there is one stream only, and it would be all that the item has.
    """
    if len(dims) < 2:
        raise ValueError(f"one of {len(dims)} streams cannot be dropped")
    lost_B1 = torch.randint(len(dims), (num_items, 1), device=device)
    loses_B1 = torch.rand((num_items, 1), device=device) < probability
    stream_D = torch.repeat_interleave(
        torch.arange(len(dims), device=device), torch.tensor(dims, device=device)
    )
    return 1.0 - ((stream_D == lost_B1) & loses_B1).float()
