"""Bags of frames: how much a video has of each learned word, summed or at its strongest frame.

Shape letters: B videos, T frames (padded), D feature size, K words.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.clusters import SoftClusters, in_autocast_dtype
from reeltag.layers.initialisers import normal_linear
from reeltag.layers.input_norm import Affine, behind_offset, folded
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.normalised_maximum import NormalisedMaximum
from reeltag.layers.norm import MaskedBatchNorm, Statistics, row_statistics, standardised

Activation = Literal["relu6", "sigmoid", "none"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "none": lambda x: x,
}


def unit(x_BK: Tensor) -> Tensor:
    """Return rows of norm 1; rows of norm below 1e-6 are divided by that."""
    return F.normalize(x_BK, dim=-1, eps=1e-6)


class BagOfFrames(nn.Module):
    """Deep bag of frames: words of every frame, pooled over the frames.

        z[t] = norm(x W) or x W + b;  y = max_t act(z[t])  or  mean_t act(z[t])

    Source: arXiv:1609.08675 sec. 4.1, "DBoF"; google/youtube-8m frame_level_models.py, `DbofModel`
    (relu6 up to 2018, then sigmoid).

    Args:
        dim: D.
        num_words: K.
        activation: act.
        pooling: maximum or mean over the real frames.
        batch_norm: batch norm, or else a bias.
    """

    def __init__(
        self,
        dim: int,
        num_words: int,
        *,
        activation: Activation = "relu6",
        pooling: Literal["max", "mean"] = "max",
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.output_size, self.activation, self.pooling = num_words, activation, pooling
        std = dim**-0.5
        self.words = normal_linear(dim, num_words, std=std, bias_std=-1.0 if batch_norm else std)
        self.norm = MaskedBatchNorm(num_words) if batch_norm else None

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return (B, K), float32 (float64 stays); 0 for a video without real frames.

        Args:
            frames_BTD: floating point; finite also in the padding.
            mask_BT: bool, True for a real frame.
            affine: scale (D,) and shift (D,), for x = scale * frames + shift; None: 1 and 0.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        weight_KD, offset_K = folded(self.words.weight, affine)
        scores_BTK = F.linear(frames_BTD, weight_KD, self.words.bias)
        if self.norm is not None and self.pooling == "max":
            max_BK = self._maximum(self.norm, scores_BTK, mask_BT, offset_K)
            return ACTIVATIONS[self.activation](max_BK).where(mask_BT.any(dim=1, keepdim=True), 0.0)
        scores_BTK = scores_BTK.to(torch.promote_types(scores_BTK.dtype, torch.float32))
        if offset_K is not None:
            scores_BTK = scores_BTK + offset_K
        if self.norm is not None:
            scores_BTK = self.norm(scores_BTK, mask_BT)
        return self.pooled(ACTIVATIONS[self.activation](scores_BTK), mask_BT)

    def words_of(self, frames_BTD: Tensor) -> Tensor:
        """Return act(z[t]), (B, T, K), in eval mode; float32 (float64 stays)."""
        scores_BTK: Tensor = self.words(frames_BTD)
        scores_BTK = scores_BTK.to(torch.promote_types(scores_BTK.dtype, torch.float32))
        if self.norm is not None:
            scores_BTK = self.norm(scores_BTK)
        return ACTIVATIONS[self.activation](scores_BTK)

    def pooled(self, active_BTK: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the maximum or mean over the real frames (B, K); 0 where there are none."""
        if self.pooling == "max":
            return masked_max(active_BTK, mask_BT)
        mask_BT1 = mask_BT.to(active_BTK.dtype).unsqueeze(-1)
        return (active_BTK * mask_BT1).sum(dim=1) / mask_BT1.sum(dim=1).clamp(min=1)

    def _maximum(
        self, norm: MaskedBatchNorm, scores_BTK: Tensor, mask_BT: Tensor, offset_K: Tensor | None
    ) -> Tensor:
        """Return max_t z[t], (B, K): activations grow, so the maximum may be taken before them."""
        beta_K, statistics = behind_offset(norm, offset_K)
        counted_BT = mask_BT.to(torch.promote_types(scores_BTK.dtype, torch.float32))
        max_BK, mean_K, var_K = normalised_maximum(
            scores_BTK, counted_BT, norm.weight, beta_K, norm.eps, statistics
        )
        if self.training:
            norm.track(mean_K if offset_K is None else mean_K + offset_K, var_K)
        return max_BK

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        names = {"words.weight": "cluster_weights"}
        return names | (
            {"words.bias": "cluster_biases"} if self.norm is None else {"norm": "cluster_bn"}
        )


class SoftBagOfWords(SoftClusters):
    """Soft-DBoW: every frame divides a mass of 1 among K words; the masses are summed.

        a[t] = softmax(norm(x W)) * mask[t];  y = unit(sum_t a[t]), and with `maximum` also
        unit(max_t a[t]) next to it

    Source: arXiv:1706.06905 sec. 3.2; its authors' frame_level_models.py, `SoftDBoF`.

    Args:
        dim: D.
        num_words: K.
        maximum: append the maximum over frames.
    """

    def __init__(self, dim: int, num_words: int, *, maximum: bool = False) -> None:
        super().__init__(dim, num_words)
        self.output_size, self.maximum = num_words * (2 if maximum else 1), maximum

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return (B, K), or (B, 2 * K) with the maximum; float32 (float64 stays).

        Args: as `BagOfFrames.forward`.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        return self.of_counts(*self.counts(frames_BTD, mask_BT, affine, maximum=self.maximum))

    def of_counts(self, sum_BK: Tensor, max_BK: Tensor) -> Tensor:
        """Return what `forward` returns, of sum and maximum over frames of the words' masses."""
        return torch.cat([unit(sum_BK), unit(max_BK)], dim=-1) if self.maximum else unit(sum_BK)

    def words_of(self, frames_BTD: Tensor) -> Tensor:
        """Return a[t], (B, T, K), in eval mode; float32 (float64 stays).

        Args:
            frames_BTD: x itself, with scale and shift.
        """
        return self.normalised_scores(frames_BTD, None).softmax(dim=-1)

    def pooled(self, words_BTK: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what `forward` returns, of the words of each frame."""
        words_BTK = words_BTK * mask_BT.to(words_BTK.dtype).unsqueeze(-1)
        return self.of_counts(words_BTK.sum(dim=1), words_BTK.amax(dim=1))


class GatedBagOfWords(SoftBagOfWords):
    """Gated DBoW: Soft-DBoW whose sums are gated by the words' strongest frames.

        y = unit(sigmoid(norm(U V unit(max_t a[t]))) * sum_t a[t])

    in which the matrix U V is of rank D. Source: `GatedDBoF` of the same file.

    Args:
        dim: D.
        num_words: K.
    """

    def __init__(self, dim: int, num_words: int) -> None:
        super().__init__(dim, num_words)
        self.squeeze = normal_linear(num_words, dim, std=dim**-0.5)
        self.excite = normal_linear(dim, num_words, std=dim**-0.5)
        self.gate_norm = MaskedBatchNorm(num_words)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        """Return (B, K), float32 (float64 stays).

        Args: as `BagOfFrames.forward`.
        """
        frames_BTD = in_autocast_dtype(frames_BTD)
        return self.of_counts(*self.counts(frames_BTD, mask_BT, affine, maximum=True))

    def of_counts(self, sum_BK: Tensor, max_BK: Tensor) -> Tensor:
        """Return what `forward` returns, of sum and maximum over frames of the words' masses."""
        gate_BK = self.gate_norm(self.excite(self.squeeze(unit(max_BK)))).sigmoid()
        return unit(gate_BK * sum_BK)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where the authors' checkpoint keeps each part of ours."""
        return super().tensorflow_names() | {
            "squeeze.weight": "dim_red",
            "excite.weight": "cluster_weights_2",
            "gate_norm": "cluster_bn_2",
        }


@faster(cpu=NormalisedMaximum.apply)
def normalised_maximum(
    scores_BTK: Tensor,
    counted_BT: Tensor,
    gamma_K: Tensor,
    beta_K: Tensor,
    eps: float,
    statistics: Statistics | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return max_t batch_norm(scores), (B, K), and the mean and biased variance (K,).

    Frames that share a maximum share its gradient. A video without real frames gives -infinity.
    The arguments are those of `soft_assign`.
    """
    x_BTK = scores_BTK.to(counted_BT.dtype)
    if statistics is None:
        statistics = row_statistics(x_BTK.flatten(end_dim=1), counted_BT.flatten())
    z_BTK = standardised(x_BTK, statistics, gamma_K, beta_K, eps)
    z_BTK = z_BTK.masked_fill(counted_BT.unsqueeze(-1) == 0, -torch.inf)
    mean_K, var_K = statistics
    return z_BTK.amax(dim=1), mean_K.detach(), var_K.detach()


def masked_max(values_BTK: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the maximum over real frames (B, K); 0 where there are none."""
    real_BT1 = mask_BT.unsqueeze(-1)
    max_BK = values_BTK.masked_fill(~real_BT1, -torch.inf).amax(dim=1)
    return max_BK.where(real_BT1.any(dim=1), 0.0)
