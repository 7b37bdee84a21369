"""Which loss a model is trained with (`--loss.*` of `reeltag train`), and what an objective is."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
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
from reeltag.training.config import LOSS_NUMBERS, LossConfig, LossName

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(logits (B, C), labels (B, C) in [0, 1], weights (B, C) or None) -> nats per video (B,)."""
Objective = Callable[[FrameBatch, nn.Module], tuple[Tensor, dict[str, Tensor]]]
"""(batch, model) -> loss of the batch, a scalar, and what is to be logged."""


@runtime_checkable
class StatefulObjective(Protocol):
    """An objective that goes on, in a resumed training, from what it came to."""

    name: str
    """What its state is kept as in a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it came to."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""


LOSSES: Mapping[LossName, Callable[..., Tensor]] = {
    "cross-entropy": binary_cross_entropy,
    "epsilon-cross-entropy": epsilon_cross_entropy,
    "focal": focal_loss,
    "asymmetric": asymmetric_loss,
    "softmax": softmax_loss,
    "hinge": hinge_loss,
    "hinge-ranking": hinge_ranking_loss,
    "soft-ranking": soft_ranking_loss,
    "sigmoid-ranking": sigmoid_ranking_loss,
    "pairwise": pairwise_loss,
    "pairwise-mean": partial(pairwise_loss, mean=True),
}


def loss_of(config: LossConfig) -> Loss:
    """Return the loss that the flags give; by default `binary_cross_entropy` itself."""
    function = LOSSES[config.name]
    values = {number: getattr(config, number) for number in LOSS_NUMBERS[config.name]}
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


def stateful_parts(objective: object) -> Iterator[StatefulObjective]:
    """Yield what has a state of an objective and, inside of it, of what it wraps."""
    while objective is not None:
        if isinstance(objective, StatefulObjective):
            yield objective
        objective = getattr(objective, "objective", None)
