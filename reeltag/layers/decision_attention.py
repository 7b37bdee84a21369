"""Decision-level attention: every class weighs the frames, and scores each of them, in its own way.

Shape letters: B videos, T frames (padded), D feature size, H heads, C classes, N = H * C columns
h * C + c.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.kernels.decision_pool import EXACT, DecisionPool
from reeltag.layers.kernels.dispatch import faster


class DecisionAttention(nn.Module):
    """p(c) = mean_h sum_t a[t, h, c] sigmoid(e[t, h, c]), returned as its exact logit.

    With e = We x + be and a = softmax_t(Wa x) over real frames. In log space, where 1 / H cancels,

        logit = logsumexp_ht(log a + log sigmoid(e)) - logsumexp_ht(log a + log sigmoid(-e))

    A bias in Wa x would cancel in the softmax, so there is none. Source: Kong et al. 2018,
    arXiv:1711.00927 (one head); several heads as in Yu et al. 2018, arXiv:1803.02353, but
    all on the last hidden layer, and averaged.

    The two arrays of scores, of T * H * C values a video each, are the price of a weight for each
    frame and class: 37 MB a video in float32 for 300 frames, 4 heads and 3862 classes, as much
    again for their gradients. The kernel keeps nothing else of that size.

    Args:
        dim: D.
        num_classes: C.
        heads: H.
    """

    def __init__(self, dim: int, num_classes: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.attention = xavier_linear(dim, heads * num_classes, bias=False)
        self.decision = xavier_linear(dim, heads * num_classes)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays); 0 for a video without real frames.

        Args:
            x_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
        """
        return self.of_scores(*self.frame_scores(x_BTD), mask_BT)

    @property
    def sizes(self) -> list[int]:
        """Widths of both scores of a frame."""
        return [self.attention.out_features, self.decision.out_features]

    def frame_scores(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Return Wa x and e of each frame, (B, T, N) each."""
        return self.attention(x_BTD), self.decision(x_BTD)

    def of_scores(self, attention_BTN: Tensor, decision_BTN: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what `forward` returns, of the scores of each frame."""
        return decision_pool(attention_BTN, decision_BTN, mask_BT, self.heads)


@faster(cpu=DecisionPool.apply, cuda=DecisionPool.apply)
def decision_pool(
    attention_BTN: Tensor, decision_BTN: Tensor, mask_BT: Tensor, heads: int
) -> Tensor:
    """Return the logits (B, C) of `DecisionAttention` from its scores, float32 (float64 stays).

    Args:
        attention_BTN: what the softmax is taken of; finite.
        decision_BTN: what the sigmoid is taken of; finite.
        mask_BT: bool, True for a real frame.
        heads: H.
    """
    real_BT1 = mask_BT.unsqueeze(-1)
    dtype = torch.promote_types(attention_BTN.dtype, torch.float32)
    attention_BTN = attention_BTN.to(dtype).masked_fill(~real_BT1, torch.finfo(dtype).min / 2)
    decision_BTN = decision_BTN.to(dtype).masked_fill(~real_BT1, 0.0)
    yes_BTN = attention_BTN.log_softmax(dim=1) - F.softplus(-decision_BTN, threshold=EXACT)
    yes_BTHC, no_BTHC = (
        x_BTN.unflatten(-1, (heads, -1)) for x_BTN in (yes_BTN, yes_BTN - decision_BTN)
    )
    logits_BC: Tensor = yes_BTHC.logsumexp(dim=(1, 2)) - no_BTHC.logsumexp(dim=(1, 2))
    return logits_BC
