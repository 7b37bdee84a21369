"""Objectives: what a model is asked for. (batch, model) -> loss, logs.

There is one training loop; a way of training differs from another by its objective alone.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.distillation import mixture_divergence
from reeltag.models import Mixture, penalty
from reeltag.models.tagger import Tagger
from reeltag.training.config import MemberLoss, Recipe

Objective = Callable[[FrameBatch, nn.Module], tuple[Tensor, dict[str, Tensor]]]


def objective_for(tagger: Tagger, recipe: Recipe) -> Objective:
    """Return what `tagger` is trained with unless something else is asked for."""
    if tagger.has_members:
        return partial(mixture_cross_entropy, config=recipe.members)
    return cross_entropy


def cross_entropy(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Return binary cross-entropy in nats per video, plus the model's own penalty.

    Summed over classes, averaged over videos, as all four systems do. `batch.weights`, where
    there are any, say how much each class counts (0: nobody rated it).

    Raises:
        ValueError: the batch has no labels.
    """
    label_loss = _label_loss(model(batch.frames, batch.mask), batch)
    return label_loss + penalty(model), {"label_loss": label_loss.detach()}


def mixture_cross_entropy(
    batch: FrameBatch, model: nn.Module, *, config: MemberLoss
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a mixture and of each of its members, in nats per video.

        loss = CE(mixture) + sum_m CE(member m) + weight * sum_m KL(mixture || member m) + penalty

    with the divergence between softmaxes over the classes, of logits divided by the temperature.
    Source: arXiv:1811.05014 sec. 3.4, and train.py of its authors' code. The paper's own
    comparison (table 3) finds the divergence of no use; a weight of 0 leaves it out.

    Args:
        batch: with labels.
        model: a mixture, or the tagger of one.
        config: how the members learn.

    Raises:
        ValueError: the batch has no labels.
        TypeError: `model` has no members.
    """
    if not isinstance(model, Mixture):
        raise TypeError(f"{type(model).__name__} is no mixture of models")
    logits_BC, member_logits_MBC = model.members(batch.frames, batch.mask)
    label_loss = _label_loss(logits_BC, batch)
    member_loss = torch.stack([_label_loss(z_BC, batch) for z_BC in member_logits_MBC]).sum()
    loss = label_loss + member_loss + penalty(model)
    logs = {"label_loss": label_loss.detach(), "member_loss": member_loss.detach()}
    if config.weight:
        divergence_B = mixture_divergence(
            logits_BC,
            member_logits_MBC,
            temperature=config.temperature,
            stop_gradient=config.stop_gradient,
        )
        distillation_loss = config.weight * divergence_B.mean()
        loss = loss + distillation_loss
        logs["distillation_loss"] = distillation_loss.detach()
    return loss, logs


def _label_loss(logits_BC: Tensor, batch: FrameBatch) -> Tensor:
    """Return the mean cross-entropy of a batch; ValueError where it has no labels."""
    if batch.labels is None:
        raise ValueError("cross-entropy needs a batch with labels")
    return binary_cross_entropy(logits_BC, batch.labels, batch.weights).mean()
