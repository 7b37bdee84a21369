"""Gates: each activation is re-weighted by a sigmoid of all the others.

Shape letters: B videos, H hidden units, C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.initialisers import normal_linear, scaled_linear
from reeltag.layers.kernels.decision_pool import EXACT
from reeltag.layers.norm import MaskedBatchNorm


class ContextGate(nn.Module):
    """y = x * sigmoid(norm(W x)).

    Source: arXiv:1706.06905 sec. 3.3 eq. 1; as in the authors' code, batch norm takes the place of
    the bias. Their option to leave the diagonal of W out is `remove_diagonal`.

    Args:
        size: H, kept.
        remove_diagonal: an activation does not take part in its own gate.
    """

    def __init__(self, size: int, *, remove_diagonal: bool = False) -> None:
        super().__init__()
        self.remove_diagonal = remove_diagonal
        self.linear = normal_linear(size, size, std=size**-0.5)
        self.norm = MaskedBatchNorm(size)

    def forward(self, x_BH: Tensor) -> Tensor:
        """Return the gated activations (B, H) in float32 (float64 stays)."""
        gated_BH: Tensor = x_BH * self.scores(x_BH).sigmoid()
        return gated_BH

    def scores(self, x_BH: Tensor) -> Tensor:
        """Return what the sigmoid is taken of, (B, H)."""
        weight = self.linear.weight
        if self.remove_diagonal:
            weight = weight - torch.diag(weight.diagonal())
        scores_BH: Tensor = self.norm(F.linear(x_BH, weight))
        return scores_BH


class BottleneckGate(nn.Module):
    """y = x * sigmoid(W2 relu(norm(W1 x))), the squeeze-and-excitation gate of NeXtVLAD.

    Source: arXiv:1811.05014 sec. 3.2, and nextvlad.py of its authors: no biases, and no second
    batch norm, which figure 4 of the paper draws.

    Args:
        size: H, kept.
        reduction: H is divided by this in between.
    """

    def __init__(self, size: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = scaled_linear(size, size // reduction, bias=False)
        self.norm = MaskedBatchNorm(size // reduction)
        self.excite = scaled_linear(size // reduction, size, bias=False)

    def forward(self, x_BH: Tensor) -> Tensor:
        """Return the gated activations (B, H)."""
        gated_BH: Tensor = x_BH * self.excite(self.norm(self.squeeze(x_BH)).relu()).sigmoid()
        return gated_BH


class ProbabilityGate(nn.Module):
    """p <- p * sigmoid(norm(W u)), on logits; u is p itself, or the input of the classifier.

    With s the sigmoid, log(p s) = log p + log s and log(1 - p s) = log(1 - p + p (1 - s)) are both
    sums in log space, so the logit is exact where p or s saturate, in an exported graph too: there
    the logarithm of a sigmoid would be that of 0.
    Source: arXiv:1706.06905 sec. 3.3; WILLOW video_level_models.py, `MoeModel`.

    Args:
        num_classes: C.
        input_size: size of u where it is the input of the classifier; None: u is p.
        remove_diagonal: a class does not take part in its own gate (only where u is p).
    """

    def __init__(
        self, num_classes: int, input_size: int | None = None, *, remove_diagonal: bool = False
    ) -> None:
        super().__init__()
        self.remove_diagonal = remove_diagonal
        self.from_input = input_size is not None
        self.linear = normal_linear(input_size or num_classes, num_classes, std=num_classes**-0.5)
        self.norm = MaskedBatchNorm(num_classes)

    def forward(self, logits_BC: Tensor, input_BH: Tensor) -> Tensor:
        """Return gated logits (B, C) in float32 (float64 stays).

        Args:
            logits_BC: of the classifier.
            input_BH: what the classifier saw; used only with `input_size`.
        """
        logits_BC = logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))
        weight = self.linear.weight
        if self.remove_diagonal:
            weight = weight - torch.diag(weight.diagonal())
        source = input_BH if self.from_input else logits_BC.sigmoid()
        gate_BC = self.norm(F.linear(source, weight))
        yes_BC = -F.softplus(-logits_BC, threshold=EXACT)
        open_BC = -F.softplus(-gate_BC, threshold=EXACT)
        no_2BC = torch.stack([yes_BC - logits_BC, yes_BC + open_BC - gate_BC])
        return yes_BC + open_BC - no_2BC.logsumexp(dim=0)
