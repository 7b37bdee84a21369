"""Frames replaced by the nearest of 10,000 centroids: how often each occurs, and a ResNetLike.

    frames (all streams as one vector) -> nearest centroid -> counts (B, K) -> ResNetLike -> logits

The centroids are fitted once on a sample of frames and do not learn:

    reeltag centroids DATA --out C.safetensors
    reeltag train kmeans_resnet --data DATA --init C.safetensors ...

Shape letters: B videos, T frames (padded), D widths of all streams together, K centroids, N frames
of all videos, J centroids of one part.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import DropoutRate, Size
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m frame_preprocessing/clustering.py; slides, row 14"
PREPROCESSING = PreprocessingConfig(normalise="none")
TOGETHER = 512  # centroids that all frames of a batch are compared with at a time


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """10,000 centroids."""

    num_clusters: Size = 10_000
    """Centroids; as many as `reeltag centroids --clusters` fitted."""
    shares: bool = False
    """Divide the counts by the number of frames."""
    inner: Size = 2048
    """Units of ResNetLike's tower."""
    dropout: DropoutRate = 0.5
    """Share of the values that each block of ResNetLike drops in training."""
    random_centroids: bool = False
    """Draw centroids instead of waiting for fitted ones; for tests."""

    def build(self) -> "KMeansResNet":
        """Return the model with freshly drawn weights."""
        return KMeansResNet(self)


class KMeansResNet(nn.Module):
    """See the module docstring."""

    centroids_KD: Tensor  # noqa: N815  (a shape)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.shares = config.shares
        shape = config.num_clusters, sum(config.dims)
        centroids_KD = torch.randn(shape) * 0.5 if config.random_centroids else torch.zeros(shape)
        self.register_buffer("centroids_KD", centroids_KD)
        self.net = ResNetLike(
            [config.num_clusters], config.num_classes, inner=config.inner, dropout=config.dropout
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        return self.pooled_logits(self.pooled_terms(self.frame_terms(frames_BTD), mask_BT))

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the number of the nearest centroid of each frame, (B, T, 1) int64."""
        return nearest(frames_BTD, self.centroids_KD).unsqueeze(-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return how many frames, or what share of them, each centroid has, (B, K)."""
        counts_BK = count(terms_BTS.squeeze(-1), mask_BT, len(self.centroids_KD))
        if self.shares:
            counts_BK = counts_BK / mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
        return counts_BK.to(self.centroids_KD.dtype)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""
        logits_BC: Tensor = self.net([pooled_BP])
        return logits_BC

    def check_ready(self) -> None:
        """Raise ConfigError where the centroids were never filled."""
        if not self.centroids_KD.any():
            raise ConfigError(
                "the centroids of kmeans_resnet are not fitted yet",
                hint="`reeltag centroids DATA --out C.safetensors` fits them; then train with "
                "--init C.safetensors.",
            )


@torch.no_grad()
def nearest(frames_BTD: Tensor, centroids_KD: Tensor) -> Tensor:
    """Return the number of the nearest centroid of each frame, (B, T) int64; of ties the least.

    |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2): a matrix product, in float32 also under autocast. All
    centroids are compared, `TOGETHER` at a time, which bounds the memory.
    """
    with torch.autocast(frames_BTD.device.type, enabled=False):
        frames_ND = frames_BTD.to(centroids_KD.dtype).flatten(end_dim=1)
        best_N = torch.full_like(frames_ND[:, 0], torch.inf)
        number_N = torch.zeros_like(best_N, dtype=torch.int64)
        for start in range(0, len(centroids_KD), TOGETHER):
            part_JD = centroids_KD[start : start + TOGETHER]
            level_J = part_JD.square().sum(dim=1) / 2
            least_N, at_N = torch.addmm(level_J, frames_ND, part_JD.T, alpha=-1).min(dim=1)
            number_N = torch.where(least_N < best_N, at_N + start, number_N)
            best_N = torch.minimum(best_N, least_N)
    return number_N.view(frames_BTD.shape[:2])


def count(nearest_BT: Tensor, mask_BT: Tensor, num_clusters: int) -> Tensor:
    """Return how often each centroid is the nearest of a real frame, (B, K) float32."""
    counts_BK = torch.zeros(nearest_BT.shape[0], num_clusters, device=nearest_BT.device)
    return counts_BK.scatter_add_(1, nearest_BT, mask_BT.float())


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=64, inner=16, random_centroids=True)
VARIANTS = {"kmeans_resnet_10000": Config()}
