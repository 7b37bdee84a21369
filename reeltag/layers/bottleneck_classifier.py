"""From a pooled video to logits, as NeXtVLAD's authors do it behind any pooling.

    pooled -> dropout -> linear -> norm -> bottleneck gate -> head -> logits

Shape letters: B videos, V pooled size, H hidden units, C classes.
"""

from torch import Tensor, nn

from reeltag.layers.dropout import Dropout
from reeltag.layers.experts import LogisticHead, MixtureOfExperts
from reeltag.layers.gating import BottleneckGate
from reeltag.layers.initialisers import variance_scaling_
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.wide_linear import WideLinear


class BottleneckClassifier(nn.Module):
    """See above. Source: arXiv:1811.05014 sec. 3.2; linrongc/youtube-8m nextvlad.py.

    As in the authors' code the hidden layer has no bias, and nothing follows its batch norm.

    Args:
        size: V.
        num_classes: C.
        hidden: H.
        reduction: the gate's bottleneck has H divided by this many units.
        dropout: fraction of the pooled values that are dropped in training.
        num_experts: of a mixture of experts; 0 is a logistic regression.
        l2: weight of the head's penalty.
    """

    def __init__(
        self,
        size: int,
        num_classes: int,
        *,
        hidden: int,
        reduction: int,
        dropout: float,
        num_experts: int = 0,
        l2: float = 1e-5,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.hidden = WideLinear(size, hidden, bias=False)
        variance_scaling_(self.hidden.weight, size)
        self.norm = MaskedBatchNorm(hidden)
        self.gate = BottleneckGate(hidden, reduction)
        self.head: LogisticHead | MixtureOfExperts
        if num_experts:
            self.head = MixtureOfExperts(hidden, num_classes, num_experts, l2=l2)
        else:
            self.head = LogisticHead(
                hidden, num_classes, l2=l2, l2_on_bias=True, variance_scaling=True
            )

    def forward(self, pooled_BV: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays)."""
        hidden_BH = self.norm(self.hidden(self.dropout(pooled_BV)))
        logits_BC: Tensor = self.head(self.gate(hidden_BH))
        return logits_BC
