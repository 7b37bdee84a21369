"""One optimiser step on a batch, as training takes it: for benchmarks that time steps."""

from contextlib import AbstractContextManager

import torch
from torch import nn

from reeltag.core.batch import FrameBatch
from reeltag.training.objectives import supervised
from reeltag.training.optimiser import clip_per_tensor


def update(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: FrameBatch,
    arithmetic: AbstractContextManager[object],
) -> None:
    """Move the weights by the gradients of one batch, clipped per tensor.

    Args:
        model: a tagger, or any that maps frames and mask to logits.
        optimiser: of its parameters.
        batch: with labels.
        arithmetic: in which the loss is computed.
    """
    with arithmetic:
        loss, _ = supervised(batch, model)
    optimiser.zero_grad()
    loss.backward()
    clip_per_tensor(model.parameters(), 1.0)
    optimiser.step()
