"""Which loss a model is trained with (`--loss.*` of `reeltag train`), and what an objective is.

This file imports nothing of `training/`, so that whatever wraps an objective can import it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.losses.asymmetric import asymmetric_loss
from reeltag.losses.cross_entropy import binary_cross_entropy, epsilon_cross_entropy
from reeltag.losses.focal import focal_loss
from reeltag.losses.pairwise import (
    hinge_ranking_loss,
    pairwise_loss,
    sigmoid_ranking_loss,
    soft_ranking_loss,
)
from reeltag.losses.starter import hinge_loss, softmax_loss

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(logits (B, C), labels (B, C) in [0, 1], weights (B, C) or None) -> nats per video (B,)."""
Objective = Callable[[FrameBatch, nn.Module], tuple[Tensor, dict[str, Tensor]]]
"""(batch, model) -> loss of the batch, a scalar, and what is to be logged."""

LossName = Literal[
    "cross-entropy",
    "epsilon-cross-entropy",
    "focal",
    "asymmetric",
    "softmax",
    "hinge",
    "hinge-ranking",
    "soft-ranking",
    "sigmoid-ranking",
    "pairwise",
    "pairwise-mean",
]


class Range(NamedTuple):
    """What a number may be, for the check and in words."""

    holds: Callable[[float], bool]
    words: str


POSITIVE = Range(lambda value: 0 < value < math.inf, "> 0 and finite")
NOT_NEGATIVE = Range(lambda value: 0 <= value < math.inf, ">= 0 and finite")
FOCUS = Range(lambda value: value == 0 or 1 <= value < math.inf, "0, or >= 1 and finite")
SHARE = Range(lambda value: 0 <= value <= 1, "in [0, 1]")
BELOW_ONE = Range(lambda value: 0 <= value < 1, "in [0, 1)")
COUNT = Range(lambda value: value >= 1, ">= 1")

LOSSES: Mapping[LossName, tuple[Callable[..., Tensor], Mapping[str, Range]]] = {
    "cross-entropy": (binary_cross_entropy, {}),
    "epsilon-cross-entropy": (epsilon_cross_entropy, {"epsilon": POSITIVE}),
    "focal": (focal_loss, {"gamma": NOT_NEGATIVE, "alpha": SHARE}),
    "asymmetric": (
        asymmetric_loss,
        {"gamma_pos": FOCUS, "gamma_neg": FOCUS, "margin": BELOW_ONE},
    ),
    "softmax": (softmax_loss, {}),
    "hinge": (hinge_loss, {"margin": NOT_NEGATIVE}),
    "hinge-ranking": (hinge_ranking_loss, {"margin": NOT_NEGATIVE, "hardest": COUNT}),
    "soft-ranking": (soft_ranking_loss, {"margin": NOT_NEGATIVE, "hardest": COUNT}),
    "sigmoid-ranking": (sigmoid_ranking_loss, {"hardest": COUNT}),
    "pairwise": (pairwise_loss, {}),
    "pairwise-mean": (partial(pairwise_loss, mean=True), {}),
}  # a name -> its function, and those of its numbers that are flags
NUMBERS = ("gamma", "alpha", "gamma_pos", "gamma_neg", "margin", "hardest", "epsilon")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What a wrong answer costs. A number that is None is that of the loss's authors."""

    name: LossName = "cross-entropy"
    """cross-entropy: binary, summed over classes (epsilon-: as the papers' code wrote it); focal,
    asymmetric: easy classes count less; softmax; hinge, of logits; ranking: every label of the
    batch above the batch's hardest negatives (hinge, soft = log(1 + exp), sigmoid); pairwise:
    every label of a video above its other classes (LSEP; sum or mean over the pairs)."""
    cross_entropy_weight: float = 0.0
    """Weight of the cross-entropy that is added to another loss. Samsung's mean over classes + 0.1
    x soft-ranking is, with our sum over C classes, a weight of 10 / C."""
    gamma: float | None = None
    """focal: how little an easy class counts (2)."""
    alpha: float | None = None
    """focal: share of the positives, the negatives have the rest (0.25)."""
    gamma_pos: float | None = None
    """asymmetric: focus on hard positives (0)."""
    gamma_neg: float | None = None
    """asymmetric: focus on hard negatives (4)."""
    margin: float | None = None
    """asymmetric: probability below which a negative costs nothing (0.05); hinge: what a logit, and
    hinge- and soft-ranking: what the difference of two logits must exceed (1)."""
    hardest: int | None = None
    """Rankings: negatives taken into account, per video of the batch (30)."""
    epsilon: float | None = None
    """epsilon-cross-entropy: what is added inside the logarithms (1e-5; in NeXtVLAD 1e-8)."""

    def __post_init__(self) -> None:
        """Check every field; raise ConfigError."""
        if self.name not in get_args(LossName):
            allowed = ", ".join(get_args(LossName))
            raise ConfigError(f"loss.name must be one of {allowed}, got {self.name!r}")
        _, ranges = LOSSES[self.name]
        for number in NUMBERS:
            value = getattr(self, number)
            if value is not None and number not in ranges:
                users = [name for name, (_, numbers) in LOSSES.items() if number in numbers]
                raise ConfigError(
                    f"loss.{number} is {value}, but {self.name} has no such number",
                    hint=f"It belongs to {', '.join(users)}: choose one as loss.name, or leave "
                    f"loss.{number} out.",
                )
            if value is not None and not ranges[number].holds(value):
                raise ConfigError(f"loss.{number} must be {ranges[number].words}, got {value}")
        weight = self.cross_entropy_weight
        if not NOT_NEGATIVE.holds(weight):
            words = NOT_NEGATIVE.words
            raise ConfigError(f"loss.cross_entropy_weight must be {words}, got {weight}")
        if weight and self.name == "cross-entropy":
            raise ConfigError(
                f"loss.cross_entropy_weight is {weight}, but cross-entropy is the loss already",
                hint="It is added to another loss: choose one as loss.name.",
            )


def loss_of(config: LossConfig) -> Loss:
    """Return the loss that the flags ask for; by default `binary_cross_entropy` itself."""
    function, ranges = LOSSES[config.name]
    values = {number: getattr(config, number) for number in ranges}
    values = {number: value for number, value in values.items() if value is not None}
    loss: Loss = partial(function, **values) if values else function
    if config.cross_entropy_weight:
        return partial(_with_cross_entropy, loss=loss, weight=config.cross_entropy_weight)
    return loss


def _with_cross_entropy(
    logits_BC: Tensor,
    labels_BC: Tensor,
    weights_BC: Tensor | None,
    *,
    loss: Loss,
    weight: float,
) -> Tensor:
    """Return loss + weight * binary cross-entropy per video (B,)."""
    cross_entropy_B = binary_cross_entropy(logits_BC, labels_BC, weights_BC)
    return loss(logits_BC, labels_BC, weights_BC) + weight * cross_entropy_B
