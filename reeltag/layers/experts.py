"""Classifier heads: one logistic regression a class, or a mixture of them, as exact logits.

Shape letters: B videos, D input size, C classes, M experts (without the dummy).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.initialisers import scaled_linear, xavier_linear
from reeltag.layers.kernels.decision_pool import EXACT
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.half_square import HalfSquare
from reeltag.layers.kernels.mixture_logits import MixtureLogits


@faster(cpu=HalfSquare.apply, cuda=HalfSquare.apply)
def half_square(weight: Tensor) -> Tensor:
    """Return sum(weight^2) / 2, slim's L2 regulariser without its factor; a scalar."""
    norm: Tensor = torch.linalg.vector_norm(weight)  # ten times as fast as a dot product
    return 0.5 * norm.square()


class OutputLayer(nn.Linear):
    """A linear layer with one output a class, the last one of a model."""

    def class_weights(self) -> Tensor:
        """Return the weights (C, D)."""
        return self.weight


class LogisticHead(nn.Module):
    """p(c | x) = sigmoid(w_c x + b_c).

    Args:
        dim: D.
        num_classes: C.
        l2: weight of the penalty.
        l2_on_bias: NeXtVLAD's authors penalise the biases too.
        variance_scaling: start as NeXtVLAD's authors do, else Glorot uniform as the starter code.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        l2: float = 1e-8,
        l2_on_bias: bool = False,
        variance_scaling: bool = False,
    ) -> None:
        super().__init__()
        self.l2, self.l2_on_bias = l2, l2_on_bias
        self.linear = (scaled_linear if variance_scaling else xavier_linear)(dim, num_classes)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays)."""
        logits_BC: Tensor = self.linear(x_BD)
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))

    def class_weights(self) -> Tensor:
        """Return the weights (C, D)."""
        return self.linear.weight

    def penalty(self) -> Tensor:
        """Return the authors' L2 penalty, a scalar in nats, to be added to the mean loss."""
        total = half_square(self.linear.weight)
        if self.l2_on_bias:
            total = total + half_square(self.linear.bias)
        return self.l2 * total


class MixtureOfExperts(nn.Module):
    """p(c | x) = sum_m gate_m(x) * sigmoid(expert_m(x)), returned as its exact logit.

    The gates are a softmax over M + 1: the last, dummy gate belongs to an expert that always
    predicts no. The rows of the weights are m * C + c, so that sums over experts run along whole
    rows of classes (the authors': c * M + m; `from_tensorflow` turns them round). Source: Jordan &
    Jacobs 1994, as used in
    arXiv:1609.08675 sec. 4.1 and google/youtube-8m video_level_models.py, `MoeModel`; the gates of
    low rank are an option of WILLOW's.

    Args:
        dim: D.
        num_classes: C.
        num_experts: M, without the dummy.
        l2: weight of the penalty on gates and experts.
        gate_rank: the matrix of the gates is a product of two, with so many units in between; 0:
            one matrix.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        num_experts: int = 2,
        *,
        l2: float = 1e-8,
        gate_rank: int = 0,
    ) -> None:
        super().__init__()
        self.num_classes, self.l2 = num_classes, l2
        self.gate_input = xavier_linear(dim, gate_rank, bias=False) if gate_rank else None
        self.gates = xavier_linear(gate_rank or dim, num_classes * (num_experts + 1), bias=False)
        self.experts = xavier_linear(dim, num_classes * num_experts)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays), exact where the probability saturates."""
        gate_input = x_BD if self.gate_input is None else self.gate_input(x_BD)
        gates_BNC = self.gates(gate_input).unflatten(-1, (-1, self.num_classes))
        return mixture_logits(gates_BNC, self.experts(x_BD).unflatten(-1, (-1, self.num_classes)))

    def class_weights(self) -> Tensor:
        """Return the weights of a class's experts, summed (C, D); without the gates, as Axon's."""
        weight_MCD: Tensor = self.experts.weight.unflatten(0, (-1, self.num_classes))
        return weight_MCD.sum(dim=0)

    def penalty(self) -> Tensor:
        """Return the authors' L2 penalty, a scalar in nats, to be added to the mean loss."""
        total = half_square(self.gates.weight) + half_square(self.experts.weight)
        if self.gate_input is not None:
            total = total + half_square(self.gate_input.weight)
        return self.l2 * total

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        if self.gate_input is None:
            return {"gates": "gates", "experts": "experts"}
        return {"gate_input": "gates1", "gates": "gates2", "experts": "experts"}

    def from_tensorflow(self, part: str, tensor: Tensor) -> Tensor:
        """Return a tensor of theirs, rows c * M + m, with the rows of ours.

        Args:
            part: ours, for example `gates.weight`.
            tensor: of the shape of ours.
        """
        if part.startswith("gate_input"):
            return tensor
        rows_CM: Tensor = tensor.unflatten(0, (self.num_classes, -1))
        return rows_CM.transpose(0, 1).flatten(0, 1)


@faster(cpu=MixtureLogits.apply, cuda=MixtureLogits.apply)
def mixture_logits(gates_BNC: Tensor, experts_BMC: Tensor) -> Tensor:
    """Return logit(sum_m softmax_n(gates)[m] * sigmoid(experts[m])), (B, C), exact everywhere.

    With g the gates, g0 the dummy's, e the experts and all sums in log space,

        logit = logsumexp_m(g_m + log sigmoid(e_m)) - logsumexp(g0, g_m + log sigmoid(-e_m))

    in which the softmax's own denominator cancels.

    Args:
        gates_BNC: floating point, N = M + 1, the dummy's last.
        experts_BMC: in the same dtype.

    Returns:
        float32 (float64 stays).
    """
    dtype = torch.promote_types(gates_BNC.dtype, torch.float32)
    gates_BNC, experts_BMC = gates_BNC.to(dtype), experts_BMC.to(dtype)
    yes_BMC = gates_BNC[:, :-1] - F.softplus(-experts_BMC, threshold=EXACT)
    no_BNC = torch.cat([yes_BMC - experts_BMC, gates_BNC[:, -1:]], dim=1)
    return yes_BMC.logsumexp(dim=1) - no_BNC.logsumexp(dim=1)
