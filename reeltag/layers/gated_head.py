"""WILLOW's classifier behind a pooling layer: hidden units, gate, experts, gate.

    pooled -> linear -> context gate -> mixture of experts -> gate on the probabilities -> logits

Source: arXiv:1706.06905 sec. 3.3 and fig. 2; `NetVLADModelLF` of its authors' code.
Shape letters: B videos, V pooled values, D input size, H hidden units, C classes, M experts.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.experts import MixtureOfExperts
from reeltag.layers.gating import ContextGate, ProbabilityGate
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.wide_linear import WideLinear

GateSource = Literal["none", "probabilities", "input"]


class GatedMixture(MixtureOfExperts):
    """A mixture of experts, and a gate on its probabilities behind it.

    Args:
        dim: D.
        num_classes: C.
        num_experts: M, without the dummy.
        l2: weight of the penalty on gates and experts (the gate on the probabilities has none).
        gate_rank: see `MixtureOfExperts`.
        probability_gate: what the gate on the probabilities is computed from, if there is one.
        remove_diagonal: a class takes no part in its own gate.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        num_experts: int = 2,
        *,
        l2: float = 1e-8,
        gate_rank: int = 0,
        probability_gate: GateSource = "none",
        remove_diagonal: bool = False,
    ) -> None:
        super().__init__(dim, num_classes, num_experts, l2=l2, gate_rank=gate_rank)
        self.probability_gate = None
        if probability_gate != "none":
            input_size = dim if probability_gate == "input" else None
            self.probability_gate = ProbabilityGate(
                num_classes, input_size, remove_diagonal=remove_diagonal and input_size is None
            )

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays)."""
        logits_BC = super().forward(x_BD)
        if self.probability_gate is not None:
            logits_BC = self.probability_gate(logits_BC, x_BD)
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = super().tensorflow_names()
        if self.probability_gate is not None:
            names["probability_gate.linear.weight"] = "gating_prob_weights"
            names["probability_gate.norm"] = "gating_prob_bn"
        return names


class GatedHead(nn.Module):
    """See the module docstring.

    Args:
        size: V.
        hidden: H.
        experts: the classifier of the hidden units.
        weight_std: of the initial hidden weights.
        relu: batch norm and ReLU6 after the hidden layer, instead of a bias and nothing.
        gate: context gate on the hidden units.
        remove_diagonal: no hidden unit takes part in its own gate.
    """

    def __init__(
        self,
        size: int,
        hidden: int,
        experts: GatedMixture,
        *,
        weight_std: float,
        relu: bool = False,
        gate: bool = True,
        remove_diagonal: bool = False,
    ) -> None:
        super().__init__()
        self.hidden = WideLinear(size, hidden, bias=not relu)
        nn.init.normal_(self.hidden.weight, std=weight_std)
        if self.hidden.bias is not None:
            nn.init.normal_(self.hidden.bias, std=0.01)
        self.hidden_norm = MaskedBatchNorm(hidden) if relu else None
        self.gate = ContextGate(hidden, remove_diagonal=remove_diagonal) if gate else None
        self.experts = experts

    def forward(self, pooled_BV: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays)."""
        hidden_BH: Tensor = self.hidden(pooled_BV)
        if self.hidden_norm is not None:
            hidden_BH = F.relu6(self.hidden_norm(hidden_BH))
        if self.gate is not None:
            hidden_BH = self.gate(hidden_BH)
        logits_BC: Tensor = self.experts(hidden_BH)
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = {"hidden.weight": "hidden1_weights"}
        if self.hidden_norm is None:
            names["hidden.bias"] = "hidden1_biases"
        else:
            names["hidden_norm"] = "hidden1_bn"
        if self.gate is not None:
            names |= {"gate.linear.weight": "gating_weights_2", "gate.norm": "gating_bn"}
        experts = self.experts.tensorflow_names()
        return names | {f"experts.{ours}": theirs for ours, theirs in experts.items()}
