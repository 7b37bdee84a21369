"""An objective whose loss is infinite once, and what the weights must be like after it."""

import math

import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.training.objectives import supervised


class InfiniteAtStepOne:
    """The supervised loss, but for the second step, at which it is infinite.

    Attributes:
        states: the weights before each step.
    """

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, and what is logged."""
        self.states.append({name: p.detach().clone() for name, p in model.named_parameters()})
        loss, logs = supervised(batch, model)
        return loss * (math.inf if len(self.states) == 2 else 1.0), logs

    def assert_weights_stay(self) -> None:
        """Check that the first step moved the weights, and no step from the infinite loss on."""
        first, second, *later = self.states
        assert any(not torch.equal(first[name], part) for name, part in second.items())
        assert later
        for state in later:
            assert all(torch.equal(state[name], part) for name, part in second.items())
