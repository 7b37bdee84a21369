"""sum(weight^2) / 2 with its gradient in one pass: autograd's own, of a norm, takes three."""

import torch
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context


class HalfSquare(torch.autograd.Function):
    """`layers.experts.half_square`."""

    @staticmethod
    def forward(ctx: Context, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        norm: Tensor = torch.linalg.vector_norm(weight)
        return norm.square_().mul_(0.5)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> Tensor:
        (weight,) = ctx.saved_tensors
        return weight * gradients[0]
