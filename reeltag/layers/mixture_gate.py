"""How much each member of a mixture counts, and the mixture of their logits.

Shape letters: B videos, T frames (padded), D feature size, C classes, M members.
"""

import torch
from torch import Tensor, nn

from reeltag.layers.initialisers import scaled_linear
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.pooling import masked_mean


class InputMixture(nn.Module):
    """z = sum_m w_m z_m with w = softmax_m(W norm(mean_t x[t]) + b).

    Source: arXiv:1811.05014 sec. 3.4; linrongc/youtube-8m nextvlad.py, `MixNeXtVladModel`. The
    authors take the mean over all 300 rows, padding included; here it is over real frames.

    Args:
        dim: D.
        num_members: M.
        count_padding: mean over all rows, as the authors' code does. For parity only: results
            then depend on the padding.
    """

    def __init__(self, dim: int, num_members: int, *, count_padding: bool = False) -> None:
        super().__init__()
        self.count_padding = count_padding
        self.norm = MaskedBatchNorm(dim)
        self.linear = scaled_linear(dim, num_members)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, member_logits_MBC: Tensor) -> Tensor:
        """Return the logits of the mixture (B, C), float32 (float64 stays)."""
        weights_BM = self.weights(frames_BTD, mask_BT).to(member_logits_MBC.dtype)
        return (weights_BM.T.unsqueeze(-1) * member_logits_MBC).sum(dim=0)

    def weights(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return how much each member counts (B, M) in float32 (float64 stays), sum 1."""
        counted_BT = torch.ones_like(mask_BT) if self.count_padding else mask_BT
        scores_BM = self.linear(self.norm(masked_mean(frames_BTD, counted_BT)))
        return torch.softmax(scores_BM.to(torch.promote_types(scores_BM.dtype, torch.float32)), -1)


class ScalarMixture(nn.Module):
    """z = sum_m w_m z_m with w = softmax(M trained numbers), the same for every video.

    Args:
        num_members: M.
    """

    def __init__(self, num_members: int) -> None:
        super().__init__()
        self.scores_M = nn.Parameter(torch.zeros(num_members))

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, member_logits_MBC: Tensor) -> Tensor:
        """Return the logits of the mixture (B, C); what the frames are makes no difference."""
        weights_M = self.scores_M.softmax(dim=0).to(member_logits_MBC.dtype)
        return (weights_M.view(-1, 1, 1) * member_logits_MBC).sum(dim=0)
