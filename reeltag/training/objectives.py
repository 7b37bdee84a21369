"""Objectives: what a model is asked for. (batch, model) -> loss, logs.

There is one training loop; a way of training differs from another by its objective alone.
"""

from collections.abc import Callable

from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import penalty

Objective = Callable[[FrameBatch, nn.Module], tuple[Tensor, dict[str, Tensor]]]


def cross_entropy(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Return binary cross-entropy in nats per video, plus the model's own penalty.

    Summed over classes, averaged over videos, as all four systems do. `batch.weights`, where
    there are any, say how much each class counts (0: nobody rated it).

    Raises:
        ValueError: the batch has no labels.
    """
    if batch.labels is None:
        raise ValueError("cross_entropy needs a batch with labels")
    logits_BC = model(batch.frames, batch.mask)
    label_loss = binary_cross_entropy(logits_BC, batch.labels, batch.weights).mean()
    return label_loss + penalty(model), {"label_loss": label_loss.detach()}
