"""Averages of the weights of one training: exponential (EMA), or all alike from a step on (SWA).

    EMA    shadow = d * shadow + (1 - d) * weights    after every step; begins as the first weights
    SWA    mean of the weights after steps s, s + n, s + 2n, ...

Parameters and buffers are averaged alike, the running statistics of batch norm too, as Skalic &
Austin's EMA does (Next top GB model 2018). Izmailov et al. 2018 (arXiv:1803.05407) compute
these statistics again from data in the end: `reeltag average RUN --norms-from DATA`. Tensors of
whole numbers are those of the last weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.training.config import Optimisation


class Averaging(WeightAveraging):
    """Keeps an average of the weights; validation and the end of the training are given it.

    Until there is an average (SWA before its first step), they are given the weights themselves.

    Args:
        weight: from the number of weights in the average to the weight of the next in the new one.
        words: a description to be logged.
        first: step whose weights are the first in the average; 0: those before the training.
        every: steps from there to the next.
    """

    def __init__(
        self, weight: Callable[[int], float], words: str, first: int = 0, every: int = 1
    ) -> None:
        super().__init__(use_buffers=True, multi_avg_fn=self._move)
        self.weight, self.words, self.first, self.every = weight, words, first, every

    @property
    def has_begun(self) -> bool:
        """Whether anything is in the average."""
        return self._average_model is not None and int(self._average_model.n_averaged) > 0

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether the weights after a step, numbered from 0, go into the average."""
        if step_idx is None:
            return False
        since = step_idx + 1 - self.first
        return since >= 0 and since % self.every == 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Copy the weights as they are before the training."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._average_model.n_averaged.fill_(int(self.first == 0))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go where the weights went; a training that is to be longer may have begun too early."""
        assert self._average_model is not None
        self._average_model.module.to(pl_module.device)  # the count stays: reading it is no wait
        pairs = zip(self._average_model.module.parameters(), pl_module.parameters(), strict=True)
        for average, weight in pairs:
            if average.stride() != weight.stride():  # wide layers, see `factor_gradients`
                average.data = torch.empty_like(weight).copy_(average)
        if trainer.global_step < self.first:
            self._average_model.n_averaged.zero_()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in the place of the weights."""
        if self.has_begun:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights back."""
        if self.has_begun:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the average in the place of the weights."""
        if self.has_begun:
            super().on_train_end(trainer, pl_module)

    @torch.no_grad()
    def _move(self, averages: Sequence[Any], weights: Sequence[Any], count: Tensor | int) -> None:
        """Move averages towards weights; what does not change stays exact."""
        assert self._average_model is not None
        part = self.weight(int(self._average_model.n_averaged))
        for average, weight in zip(averages, weights, strict=True):
            if average.is_floating_point():
                average.lerp_(weight, part)
            else:
                average.copy_(weight)


def averaging_for(optim: Optimisation, num_steps: int, validate_every: int) -> Averaging | None:
    """Return the average of the recipe, or None.

    Args:
        optim: the options.
        num_steps: of the whole training.
        validate_every: steps between validations; 0 where nothing validates.

    Raises:
        ConfigError: the training ends before the average begins, or the average is never
            validated though weights before it are, so that it would not be kept.
    """
    if optim.swa_every != Optimisation().swa_every and not optim.swa_from:
        say("swa_every has no effect without swa_from: there is no such mean")
    if optim.ema:
        words = f"EMA: each step has a weight of {1 - optim.ema:.3g} in the averaged weights"
        return Averaging(lambda count: 1 - optim.ema, words)
    if not optim.swa_from:
        return None
    steps = optim.swa_from if optim.swa_from >= 1 else optim.swa_from * num_steps
    first = max(1, round(steps))
    if first > num_steps:
        raise ConfigError(
            f"swa_from is step {first:,}, and the training ends at step {num_steps:,}",
            hint="Begin earlier, or at a fraction of the steps: --swa-from 0.75.",
        )
    last = num_steps // validate_every * validate_every if validate_every else 0
    if 0 < last < first:
        raise ConfigError(
            f"swa_from is step {first:,}, and the last validation at step {last:,}: the mean would "
            "be neither validated nor kept",
            hint="Begin earlier, or validate more often: --validate-every.",
        )
    count = (num_steps - first) // optim.swa_every + 1
    pace = "every step" if optim.swa_every == 1 else f"every {optim.swa_every} steps"
    words = f"SWA: mean of {count:,} weights, {pace} from step {first:,} on"
    return Averaging(lambda count: 1 / (count + 1), words, first, optim.swa_every)
