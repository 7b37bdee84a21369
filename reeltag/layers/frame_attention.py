"""Attention over time: one vector for all frames, each frame weighted by what is in it.

Shape letters: B videos, T frames (padded), D feature size, H hidden units.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def masked_softmax(scores: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Return softmax over `dim` of the real entries, float32 (float64 stays), 0 elsewhere.

    Where nothing is real, all weights are 0, and so are the gradients.

    Args:
        scores: any shape, finite.
        mask: bool, broadcastable to the scores, True for real.
        dim: along which the weights sum to 1.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=dim).masked_fill(~mask, 0.0)


def pooled(weights_BT: Tensor, x_BTD: Tensor) -> Tensor:
    """Return sum_t weights[t] * x[t], (B, D), in the dtype of the weights.

    The product is taken in the dtype of `x`, which under autocast is the lower one.
    """
    sum_B1D = weights_BT.to(x_BTD.dtype).unsqueeze(1) @ x_BTD
    return sum_B1D.squeeze(1).to(weights_BT.dtype)


def masked_attention(
    query_BHTF: Tensor,
    key_BHTF: Tensor,
    value_BHTF: Tensor,
    mask_BT: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """Return sum_s softmax_s(scale * q[t] . k[s]) v[s] over real frames s, (B, H, T, F).

    In the dtype of its input; the softmax is in float32. Rows t in the padding hold something
    finite, and so do all rows of a video without real frames.

    Args:
        query_BHTF: H heads of F features.
        key_BHTF: the same.
        value_BHTF: the same; finite also in the padding.
        mask_BT: bool, True for a real frame.
        scale: None is F^-0.5.
    """
    seen_BT = mask_BT | ~mask_BT.any(dim=-1, keepdim=True)  # a softmax over nothing is not a number
    return F.scaled_dot_product_attention(
        query_BHTF, key_BHTF, value_BHTF, attn_mask=seen_BT[:, None, None, :], scale=scale
    )


class AttentionPool(nn.Module):
    """y = sum_t a[t] x[t],  a = softmax over real frames of w . x[t].

    Source: the authors' code (Samsung's AttentionModel and EarlyConcatLSTM4). Two
    departures: their softmax covers the padding too; and they add a bias to w . x[t], which the
    softmax takes out again.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, D), float32 (float64 stays); 0 for a video without real frames.

        Args:
            x_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
        """
        scores_BT: Tensor = self.score(x_BTD).squeeze(-1)
        return pooled(masked_softmax(scores_BT, mask_BT, dim=-1), x_BTD)


class FeatureAttention(nn.Module):
    """y[h, d] = sum_t a[t, h, d] x[t, d],  a = softmax over real frames of (W x)[t, h, d].

    Every feature is averaged with weights of its own. A bias in W x would cancel in the softmax,
    so there is none. Source: Kong et al. 2019, arXiv:1903.00765, with one head.

    Args:
        dim: D.
        heads: H, ways of weighing the frames, whose results are side by side.
    """

    def __init__(self, dim: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.score = nn.Linear(dim, heads * dim, bias=False)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return (B, H * D), column h * D + d, float32 (float64 stays).

        A video without real frames gives 0.

        Args:
            x_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
        """
        return self.of_scores(*self.frame_scores(x_BTD), mask_BT)

    @property
    def sizes(self) -> list[int]:
        """Widths of a frame's features and of its scores."""
        return [self.score.in_features, self.score.out_features]

    def frame_scores(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Return x, and W x (B, T, H * D), of each frame."""
        return x_BTD, self.score(x_BTD)

    def of_scores(self, x_BTD: Tensor, scores_BTN: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what `forward` returns, of the scores of each frame."""
        scores_BTHD = scores_BTN.unflatten(-1, (self.heads, -1))
        weights_BTHD = masked_softmax(scores_BTHD, mask_BT[..., None, None], dim=1)
        return (weights_BTHD * x_BTD.unsqueeze(2)).sum(dim=1).flatten(start_dim=1)
