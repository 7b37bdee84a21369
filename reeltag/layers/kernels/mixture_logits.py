"""The logit of a mixture of experts as one differentiable step.

There are B * C * (2 M + 1) scores, 130 million for sixteen experts and a batch of 1024: autograd
would keep about ten float32 arrays of that size; this keeps the scores as they came and two numbers
a class, and takes a few videos at a time, so that on a CPU everything in between stays in the
cache.

With g the gates, g0 the dummy's, e the experts, a = exp(g), u = exp(-e) and s = 1 / (1 + u):

    yes = sum_m a_m s_m    no = exp(g0) + sum_m a_m s_m u_m    logit = log yes - log no
    d logit / d g_m = a_m s_m (1 / yes - u_m / no)
    d logit / d e_m = a_m s_m s_m u_m (1 / yes + 1 / no)

This takes two exponentials a score. Where scores are so large that these overflow, and on a GPU,
where looking at them would be a wait, the same is computed from logarithms, which takes five.

Shape letters: B videos, M experts, N = M + 1 gates (the dummy is the last), C classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

CACHE = 2**19  # scores at a time on a CPU: two mebibytes of float32, for all cores together
LARGEST = 80.0  # of |gate| + |expert|: products of both exponentials are normal float32 numbers
LOG2 = math.log2(math.e)  # powers of two: PyTorch's exp takes thrice the time on a CPU
Gradients = tuple[Tensor, Tensor, Tensor]
"""For the gates of the experts (B, M, C), the gate of the dummy (B, C), the experts (B, M, C)."""


def _are_moderate(gates_BNC: Tensor, experts_BMC: Tensor) -> bool:
    """Return whether exponentials can be multiplied; False on a GPU, and where a score is nan."""
    if gates_BNC.device.type != "cpu" or not experts_BMC.numel():
        return False
    largest = [float(max(x.max(), -x.min())) for x in (gates_BNC, experts_BMC)]
    return sum(largest) <= LARGEST


def _exponentials(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(gates) and exp(-experts), in float32 (float64 stays)."""
    dtype = torch.promote_types(gates_BNC.dtype, torch.float32)
    weights_BNC = gates_BNC.to(dtype, copy=True).mul_(LOG2).exp2_()
    return weights_BNC, experts_BMC.to(dtype, copy=True).mul_(-LOG2).exp2_()


def _sums(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log yes and log no, (B, C), of moderate scores."""
    weights_BNC, odds_BMC = _exponentials(gates_BNC, experts_BMC)
    yes_BMC = weights_BNC[:, :-1] / (odds_BMC + 1)
    yes_BC = yes_BMC.sum(dim=1)
    no_BC = yes_BMC.mul_(odds_BMC).sum(dim=1).add_(weights_BNC[:, -1])
    return yes_BC.log2_().div_(LOG2), no_BC.log2_().div_(LOG2)


def _gradients(
    gates_BNC: Tensor, experts_BMC: Tensor, yes_BC: Tensor, no_BC: Tensor, grad_BC: Tensor
) -> Gradients:
    """Return the gradients of moderate scores."""
    weights_BNC, odds_BMC = _exponentials(gates_BNC, experts_BMC)
    for_B1C = yes_BC.mul(-LOG2).exp2_().mul_(grad_BC).unsqueeze(1)  # gradient / yes
    against_B1C = no_BC.mul(-LOG2).exp2_().mul_(grad_BC).neg_().unsqueeze(1)  # -gradient / no
    dummy_BC = weights_BNC[:, -1] * against_B1C.squeeze(1)
    experts_BMC = (odds_BMC + 1).reciprocal_()
    yes_BMC = weights_BNC[:, :-1].mul_(experts_BMC)
    experts_BMC.mul_(odds_BMC).mul_(yes_BMC)  # in this order: a product of two may be 0
    experts_BMC.mul_(for_B1C - against_B1C)
    torch.addcmul(for_B1C, odds_BMC, against_B1C, out=odds_BMC)
    return yes_BMC.mul_(odds_BMC), dummy_BC, experts_BMC


def _branches(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log(gate * sigmoid) and log(gate * (1 - sigmoid)) of the experts but for a constant.

    In float32 (float64 stays), both (B, M, C).
    """
    dtype = torch.promote_types(gates_BNC.dtype, torch.float32)
    experts_BMC = experts_BMC.to(dtype)
    yes_BMC = F.logsigmoid(experts_BMC).add_(gates_BNC[:, :-1])
    return yes_BMC, yes_BMC - experts_BMC


def _log_sums(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log yes and log no, (B, C), of any scores."""
    yes_BMC, no_BMC = _branches(gates_BNC, experts_BMC)
    dummy_BC = gates_BNC[:, -1].to(no_BMC.dtype)
    most_BC = torch.maximum(no_BMC.amax(dim=1), dummy_BC)
    no_BC = _sum_from(no_BMC, most_BC).add_((dummy_BC - most_BC).exp_()).log_().add_(most_BC)
    most_BC = yes_BMC.amax(dim=1)
    return _sum_from(yes_BMC, most_BC).log_().add_(most_BC), no_BC


def _sum_from(scores_BMC: Tensor, most_BC: Tensor) -> Tensor:
    """Return sum_m exp(scores[m] - most), (B, C); `torch.logsumexp` takes twice the time."""
    return (scores_BMC - most_BC.unsqueeze(1)).exp_().sum(dim=1)


def _log_gradients(
    gates_BNC: Tensor, experts_BMC: Tensor, yes_BC: Tensor, no_BC: Tensor, grad_BC: Tensor
) -> Gradients:
    """Return the gradients of any scores."""
    grad_B1C = grad_BC.unsqueeze(1)
    yes_BMC, no_BMC = _branches(gates_BNC, experts_BMC)
    yes_BMC = yes_BMC.sub_(yes_BC.unsqueeze(1)).exp_().mul_(grad_B1C)
    no_BMC = no_BMC.sub_(no_BC.unsqueeze(1)).exp_().mul_(grad_B1C)
    gates_BMC = yes_BMC - no_BMC
    dummy_BC = (gates_BNC[:, -1] - no_BC).exp_().mul_(grad_BC).neg_()
    sigmoid_BMC = experts_BMC.to(yes_BMC.dtype).sigmoid()
    return gates_BMC, dummy_BC, yes_BMC.addcmul_(gates_BMC, sigmoid_BMC, value=-1)


def _parts(gates_BNC: Tensor) -> list[slice]:
    """Return the videos that are worked on together."""
    step = num_videos = len(gates_BNC)
    if gates_BNC.device.type == "cpu":
        step = max(1, CACHE // max(1, gates_BNC[:1].numel()))
    return [slice(start, start + step) for start in range(0, num_videos, max(step, 1))]


class MixtureLogits(torch.autograd.Function):
    """`layers.experts.mixture_logits`."""

    @staticmethod
    def forward(ctx: Context, gates_BNC: Tensor, experts_BMC: Tensor) -> Tensor:
        dtype = torch.promote_types(gates_BNC.dtype, torch.float32)
        shape = len(gates_BNC), gates_BNC.shape[-1]
        yes_BC, no_BC = gates_BNC.new_empty(2, *shape, dtype=dtype)
        for part in _parts(gates_BNC):
            scores = gates_BNC[part], experts_BMC[part]
            sums = _sums if _are_moderate(*scores) else _log_sums
            yes_BC[part], no_BC[part] = sums(*scores)
        ctx.save_for_backward(gates_BNC, experts_BMC, yes_BC, no_BC)
        logits_BC: Tensor = yes_BC - no_BC
        return logits_BC

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gates_BNC, experts_BMC, yes_BC, no_BC = ctx.saved_tensors
        gates_grad_BNC, experts_grad_BMC = (
            torch.empty_like(scores, memory_format=torch.contiguous_format)
            for scores in (gates_BNC, experts_BMC)
        )
        for part in _parts(gates_BNC):
            scores = gates_BNC[part], experts_BMC[part]
            found = _gradients if _are_moderate(*scores) else _log_gradients
            gates_bMC, dummy_bC, experts_bMC = found(
                *scores, yes_BC[part], no_BC[part], gradients[0][part]
            )
            gates_grad_BNC[part, :-1], gates_grad_BNC[part, -1] = gates_bMC, dummy_bC
            experts_grad_BMC[part] = experts_bMC
        return gates_grad_BNC, experts_grad_BMC
