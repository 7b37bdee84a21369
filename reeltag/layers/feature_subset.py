"""A random part of the input values, the same for all videos: models that see less differ more.

Source: Samsung 2018, slides, "models trained on subsampled features".
"""

import numpy as np
import torch
from torch import Tensor, nn

from reeltag.core.seeding import derive_seed


class FeatureSubset(nn.Module):
    """Set all but a fraction of the values to zero, always the same ones.

    Args:
        dim: D, width of the input.
        share: of the values that are kept, in (0, 1]; 1 keeps the input as it is.
        seed: of the choice. It is drawn again wherever the module is built, and not saved.
    """

    kept_D: Tensor  # noqa: N815  (a shape)

    def __init__(self, dim: int, share: float, seed: int = 0) -> None:
        super().__init__()
        self.share = share
        chosen = np.random.default_rng(derive_seed(seed, "features")).permutation(dim)
        kept = np.zeros(dim, np.float32)
        kept[chosen[: max(1, round(share * dim))]] = 1.0
        self.register_buffer("kept_D", torch.from_numpy(kept), persistent=False)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return (..., D)."""
        return x_BD if self.share == 1 else x_BD * self.kept_D.to(x_BD.dtype)
