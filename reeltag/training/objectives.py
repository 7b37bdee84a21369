"""Objectives: what a model learns. (batch, model) -> loss, logs.

There is one training loop; a way of training differs from another by its objective alone.
"""

from functools import partial

import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.distillation import mixture_divergence
from reeltag.models import Mixture, penalty
from reeltag.tagger.tagger import Tagger
from reeltag.training.augmenting import augmented
from reeltag.training.config import MemberLoss, Recipe
from reeltag.training.losses import Loss, Objective, loss_of
from reeltag.training.noisy import Consistent, SmallLoss
from reeltag.training.relation import with_relation


def objective_for(tagger: Tagger, recipe: Recipe) -> Objective:
    """Return what `tagger` is trained with unless the recipe names something else.

    First what the model owes the labels, by the loss of `recipe.loss`; each further line may wrap
    the objective before it.
    """
    loss, noisy = loss_of(recipe.loss), recipe.noisy

    def of_labels(loss: Loss) -> Objective:
        if tagger.has_members:
            return partial(supervised_mixture, loss=loss, config=recipe.members)
        return partial(supervised, loss=loss)

    objective = SmallLoss(of_labels, loss, noisy) if noisy.selects else of_labels(loss)
    if noisy.consistency:
        objective = Consistent(objective, noisy)
    objective = with_relation(objective, tagger, recipe.relation, accumulate=recipe.accumulate)
    return augmented(objective, tagger, recipe.augment)


def supervised(
    batch: FrameBatch, model: nn.Module, *, loss: Loss = binary_cross_entropy
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of the labels in nats per video, plus the model's own penalty.

    Averaged over videos. `batch.weights`, where there are any, give how much each class counts (0:
    unrated).

    Args:
        batch: with labels.
        model: (frames, mask) to logits.
        loss: what a wrong prediction costs.

    Raises:
        ValueError: the batch has no labels.
    """
    label_loss = _label_loss(loss, model(batch.frames, batch.mask), batch)
    return label_loss + penalty(model), {"label_loss": label_loss.detach()}


def supervised_mixture(
    batch: FrameBatch,
    model: nn.Module,
    *,
    config: MemberLoss,
    loss: Loss = binary_cross_entropy,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a mixture and of each of its members, in nats per video.

        L(mixture) + sum_m L(member m) + weight * sum_m KL(mixture || member m) + penalty

    with the divergence between softmaxes over the classes, of logits divided by the temperature.
    Source: arXiv:1811.05014 sec. 3.4, and train.py of its authors' code. The paper's own
    comparison (table 3) finds the divergence of no use; a weight of 0 leaves it out.

    Args:
        batch: with labels.
        model: a mixture, or the tagger of one.
        config: how the members learn.
        loss: L, what a wrong prediction costs; the authors' is cross-entropy.

    Raises:
        ValueError: the batch has no labels.
        TypeError: `model` has no members.
    """
    if not isinstance(model, Mixture):
        raise TypeError(f"{type(model).__name__} is no mixture of models")
    logits_BC, member_logits_MBC = model.members(batch.frames, batch.mask)
    label_loss = _label_loss(loss, logits_BC, batch)
    member_loss = torch.stack([_label_loss(loss, z_BC, batch) for z_BC in member_logits_MBC]).sum()
    total = label_loss + member_loss + penalty(model)
    logs = {"label_loss": label_loss.detach(), "member_loss": member_loss.detach()}
    if config.weight:
        divergence_B = mixture_divergence(
            logits_BC,
            member_logits_MBC,
            temperature=config.temperature,
            stop_gradient=config.stop_gradient,
        )
        distillation_loss = config.weight * divergence_B.mean()
        total = total + distillation_loss
        logs["distillation_loss"] = distillation_loss.detach()
    return total, logs


def _label_loss(loss: Loss, logits_BC: Tensor, batch: FrameBatch) -> Tensor:
    """Return the mean loss of a batch; ValueError where it has no labels."""
    if batch.labels is None:
        raise ValueError("a loss needs a batch with labels")
    return loss(logits_BC, batch.labels, batch.weights).mean()
