"""The check that losses are finite, for several steps at once: no step waits for its device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reeltag.layers.ranks import over_ranks

EVERY = 16  # batches between two checks, if none is requested before


@dataclass(frozen=True)
class BadLoss:
    """A loss that is not finite: its value (None: that of another rank), step and batch."""

    value: float | None
    step: int
    ids: tuple[str, ...]


class LossCheck:
    """Collects the losses of steps on their device, and looks at them later, all at once.

    Attributes:
        last: the last loss that was looked at; nan before.
        bad: a scalar on the device, 1 from the first loss on that is not finite, on any rank, else
            0. An optimiser that is given it as `found_inf` does not move
            from there on, so that the weights are still those before that loss.
    """

    def __init__(self) -> None:
        self.last, self.bad = math.nan, torch.zeros(())
        self._waiting: list[tuple[int, tuple[str, ...], Tensor, Tensor]] = []
        self._room = 1  # the first loss is looked at right away

    def add(self, loss: Tensor, step: int, ids: Sequence[str]) -> None:
        """Keep the loss of a batch (a scalar) for the next look."""
        loss = loss.detach()
        (bad,) = over_ranks((~loss.isfinite()).float())
        self.bad = torch.maximum(self.bad.to(bad.device), bad.clamp(max=1))
        self._waiting.append((step, tuple(ids), loss, self.bad))

    @property
    def is_due(self) -> bool:
        """Whether enough losses wait to be looked at."""
        return len(self._waiting) >= self._room

    def look(self) -> BadLoss | None:
        """Return the first loss since the last look that is not finite; waits for the device."""
        waiting, self._waiting, self._room = self._waiting, [], EVERY
        if not waiting:
            return None
        pairs = torch.stack([torch.stack([loss.float(), bad]) for *_, loss, bad in waiting])
        for (step, ids, *_), (value, bad) in zip(waiting, pairs.tolist(), strict=True):
            self.last = value
            if bad:
                return BadLoss(None if math.isfinite(value) else value, step, ids)
        return None
