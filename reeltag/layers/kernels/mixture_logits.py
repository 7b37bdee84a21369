"""The logit of a mixture of experts as one differentiable step.

There are B * C * (2 M + 1) scores, 130 million for sixteen experts and a batch of 1024: autograd
would keep about ten float32 arrays of that size; this keeps the scores as they came and two numbers
a class, and takes a few videos at a time, so that on a CPU everything in between stays in the
cache.

Shape letters: B videos, M experts, N = M + 1 gates (the dummy is the last), C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

CACHE = 2**17  # scores at a time on a CPU: half a mebibyte of float32


def _branches(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log(gate * sigmoid) and log(gate * (1 - sigmoid)) of the experts but for a constant.

    In float32 (float64 stays), both (B, M, C).
    """
    dtype = torch.promote_types(gates_BNC.dtype, torch.float32)
    experts_BMC = experts_BMC.to(dtype)
    yes_BMC = F.logsigmoid(experts_BMC).add_(gates_BNC[:, :-1])
    return yes_BMC, yes_BMC - experts_BMC


def _yes_and_no(gates_BNC: Tensor, experts_BMC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p), (B, C), but for the same constant."""
    yes_BMC, no_BMC = _branches(gates_BNC, experts_BMC)
    dummy_BC = gates_BNC[:, -1].to(no_BMC.dtype)
    most_BC = torch.maximum(no_BMC.amax(dim=1), dummy_BC)
    no_BC = _exponentials(no_BMC, most_BC).add_((dummy_BC - most_BC).exp_()).log_().add_(most_BC)
    most_BC = yes_BMC.amax(dim=1)
    return _exponentials(yes_BMC, most_BC).log_().add_(most_BC), no_BC


def _exponentials(scores_BMC: Tensor, most_BC: Tensor) -> Tensor:
    """Return sum_m exp(scores[m] - most), (B, C); `torch.logsumexp` takes twice the time."""
    return (scores_BMC - most_BC.unsqueeze(1)).exp_().sum(dim=1)


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
            yes_BC[part], no_BC[part] = _yes_and_no(gates_BNC[part], experts_BMC[part])
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
            gates_bNC, experts_bMC = gates_BNC[part], experts_BMC[part]
            grad_b1C = gradients[0][part].unsqueeze(1)
            yes_bMC, no_bMC = _branches(gates_bNC, experts_bMC)
            yes_bMC = yes_bMC.sub_(yes_BC[part].unsqueeze(1)).exp_().mul_(grad_b1C)
            no_bMC = no_bMC.sub_(no_BC[part].unsqueeze(1)).exp_().mul_(grad_b1C)
            no_bMC = yes_bMC - no_bMC
            gates_grad_BNC[part, :-1] = no_bMC
            dummy_bC = (gates_bNC[:, -1] - no_BC[part]).exp_().mul_(gradients[0][part])
            gates_grad_BNC[part, -1] = dummy_bC.neg_()
            sigmoid_bMC = experts_bMC.to(yes_bMC.dtype).sigmoid()
            experts_grad_BMC[part] = yes_bMC.addcmul_(no_bMC, sigmoid_bMC, value=-1)
        return gates_grad_BNC, experts_grad_BMC
