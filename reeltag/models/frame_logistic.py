"""Logistic regression of every frame, pooled over frames by their own probabilities.

    frames -> one logistic regression per class, of each frame -> p (T, C)
           -> sum_t p^2 / sum_t p ("linear softmax": each frame counts by its probability) -> logits

A class that is in a few frames of a long video keeps the probability that it has there, where the
mean frame would dilute it; a window of one frame has exactly the logits of that frame. So the same
weights can learn from labels of whole videos and score single frames.

With few videos (tens to hundreds) and features of a trained encoder this is what can still be
learned: `reeltag solve moments` fits it there (`reeltag.training.frame_regression`).

Shape letters: B videos, T frames (padded), D feature size, C classes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._fields import Penalty

SOURCE = "Wang, Li, Metze 2019, arXiv:1810.09050, sec. 2: linear softmax pooling"
PREPROCESSING = PreprocessingConfig(normalise="none")
RECIPE = {"batch_size": 64, "optim": {"learning_rate": 0.01}}


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Logistic regression of every frame, pooled by linear softmax."""

    l2: Penalty = 1e-8
    """Weight of the L2 penalty on the weights."""

    def build(self) -> "FrameLogistic":
        """Return the model with freshly drawn weights."""
        return FrameLogistic(self)


class FrameLogistic(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head = LogisticHead(sum(config.dims), config.num_classes, l2=config.l2)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits (B, C)."""
        mask_BT = resolve_mask(frames_BTD, mask_BT)
        is_empty_B1 = ~mask_BT.any(dim=1, keepdim=True)
        frames_BTD = frames_BTD.masked_fill(~mask_BT.unsqueeze(-1), 0.0)
        return linear_softmax(self.head(frames_BTD), mask_BT | is_empty_B1)

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return the terms of both sums, (B, T, 2 * C), in logarithms."""
        return torch.cat(log_terms(self.head(frames_BTD)), dim=-1)

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the logits (B, C)."""
        there_BTC, not_there_BTC = terms_BTS.chunk(2, dim=-1)
        return log_ratio(there_BTC, not_there_BTC, mask_BT)

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return the logits as they are."""
        return pooled_BP


def linear_softmax(logits_BTC: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the logits (B, C) of sum_t p^2 / sum_t p over the frames in the mask.

    In logarithms, log(sum p^2) - log(sum p (1 - p)), so that those of a single frame come out as
    they are, however near p is to 0 or 1.

    Args:
        logits_BTC: of each frame.
        mask_BT: bool, at least one frame of each video.
    """
    return log_ratio(*log_terms(logits_BTC), mask_BT)


def log_terms(logits_BTC: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p^2 and log p (1 - p) of each frame, (B, T, C) each."""
    log_p, log_q = F.logsigmoid(logits_BTC), F.logsigmoid(-logits_BTC)
    return 2 * log_p, log_p + log_q


def log_ratio(there_BTC: Tensor, not_there_BTC: Tensor, mask_BT: Tensor) -> Tensor:
    """Return log(sum_t exp(there) / sum_t exp(not_there)) over the frames in the mask, (B, C)."""
    outside_BT1 = ~mask_BT.unsqueeze(-1)
    there_BC, not_there_BC = (
        torch.logsumexp(x.masked_fill(outside_BT1, -torch.inf), dim=1)
        for x in (there_BTC, not_there_BTC)
    )
    return there_BC - not_there_BC


TINY = Config(num_classes=5, dims=(6, 2))
VARIANTS = {"frame_logistic": Config()}
