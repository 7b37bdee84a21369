"""The logits of decision-level attention as one differentiable step.

Gradients are sums of terms in [0, 1], computed again from the scores, for a few videos at a time,
so that nothing of the size of the scores is kept but they.

Shape letters: B videos (b: worked on together), T frames (padded), H heads, C classes, N = H * C
columns h * C + c.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

TOGETHER_CPU, TOGETHER = 2**20, 2**26  # scores (4 bytes each) whose intermediate values are held
EXACT = 80.0  # beyond it softplus(x) = x to the last digit, and exp(x) still fits into float32


def _log_terms(
    attention_btN: Tensor, decision_btN: Tensor, mask_bt: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log a, log a + log sigmoid(e), log a + log sigmoid(-e); lowest in the padding.

    Without any real frame they are those of scores 0.
    """
    real_bt1 = _real(mask_bt, attention_btN)
    scores_btN = attention_btN + (1 - real_bt1) * (torch.finfo(real_bt1.dtype).min / 2)
    log_a_btN = scores_btN - scores_btN.logsumexp(dim=1, keepdim=True)
    decision_btN = decision_btN * real_bt1
    yes_btN = log_a_btN - F.softplus(-decision_btN, threshold=EXACT)
    return log_a_btN, yes_btN, yes_btN - decision_btN


def _real(mask_bt: Tensor, scores_btN: Tensor) -> Tensor:
    """Return 1 for a real frame and 0 for padding, (b, t, 1), float32 (float64 stays)."""
    return mask_bt.to(torch.promote_types(scores_btN.dtype, torch.float32)).unsqueeze(-1)


def _sums(yes_btN: Tensor, no_btN: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Return log(H p) and log(H (1 - p)), (b, C)."""
    yes_btHC, no_btHC = (x.unflatten(-1, (heads, -1)) for x in (yes_btN, no_btN))
    return yes_btHC.logsumexp(dim=(1, 2)), no_btHC.logsumexp(dim=(1, 2))


def _parts(scores_BTN: Tensor) -> list[slice]:
    """Return the videos that are worked on together."""
    together = TOGETHER_CPU if scores_BTN.device.type == "cpu" else TOGETHER
    step = max(1, together // max(1, scores_BTN[:1].numel()))
    return [slice(start, start + step) for start in range(0, len(scores_BTN), step)]


class DecisionPool(torch.autograd.Function):
    """`layers.decision_attention.decision_pool`."""

    @staticmethod
    def forward(
        ctx: Context, attention_BTN: Tensor, decision_BTN: Tensor, mask_BT: Tensor, heads: int
    ) -> Tensor:
        sums = []
        for part in _parts(attention_BTN):
            _, yes_btN, no_btN = _log_terms(attention_BTN[part], decision_BTN[part], mask_BT[part])
            sums.append(torch.stack(_sums(yes_btN, no_btN, heads)))
        yes_BC, no_BC = torch.cat(sums, dim=1).unbind()
        ctx.save_for_backward(attention_BTN, decision_BTN, mask_BT, yes_BC, no_BC)
        ctx.rest = heads
        return yes_BC - no_BC

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of both scores.

        With r1 the fraction of p from each (t, h), and r0 that in 1 - p,

            d logit / d e = r1 sigmoid(-e) + r0 sigmoid(e)
            d logit / d (Wa x) = (r1 - r0) - a sum_t(r1 - r0)
        """
        attention_BTN, decision_BTN, mask_BT, yes_BC, no_BC = ctx.saved_tensors
        heads: int = ctx.rest
        attention_grad, decision_grad = map(torch.empty_like, (attention_BTN, decision_BTN))
        for part in _parts(attention_BTN):
            real_bt1 = _real(mask_BT[part], attention_BTN)
            log_a_btN, yes_btN, no_btN = _log_terms(
                attention_BTN[part], decision_BTN[part], mask_BT[part]
            )
            grad_b1N, log_p_b1N, log_q_b1N = (
                x_BC[part].tile(heads).unsqueeze(1) for x_BC in (gradients[0], yes_BC, no_BC)
            )
            grad_btN = grad_b1N * real_bt1
            yes_btN = yes_btN.sub_(log_p_b1N).exp_().mul_(grad_btN)
            no_btN = no_btN.sub_(log_q_b1N).exp_().mul_(grad_btN)
            sure_btN = decision_BTN[part].to(yes_btN.dtype).sigmoid()
            decision_grad[part] = torch.lerp(yes_btN, no_btN, sure_btN)
            yes_btN -= no_btN
            sum_b1N = yes_btN.sum(dim=1, keepdim=True)
            yes_btN.addcmul_(log_a_btN.exp_(), sum_b1N, value=-1.0)
            attention_grad[part] = yes_btN
        return attention_grad, decision_grad, None, None
