"""The one LightningModule: a tagger, an objective and a recipe."""

from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import Metric

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import TrainingError
from reeltag.core.seeding import derive_seed
from reeltag.layers.wide_linear import factor_gradients
from reeltag.tagger.tagger import Tagger
from reeltag.training.augmenting import Augmented
from reeltag.training.batches import Batches
from reeltag.training.config import Recipe
from reeltag.training.loss_check import LossCheck
from reeltag.training.losses import Objective, stateful_parts
from reeltag.training.optimiser import (
    clip_per_tensor,
    learning_groups,
    make_optimiser,
    make_schedule,
)


class TaggerTraining(LightningModule):
    """Trains `tagger` on `objective`; run by Lightning's Trainer, on any number of devices.

    All randomness of a step is a function of (seed, batch, rank), and the place in the data is a
    function of the batches done; so a resumed run goes on exactly as if it had not been stopped.

    Args:
        tagger: maps (frames, mask) to logits.
        objective: maps (batch, tagger) to the loss and what is to be logged.
        recipe: everything else.
        num_steps: optimiser steps of the whole training.
        batches: where training and validation batches come from.
        metric: updated with (logits, labels, weights) of every validation batch; higher is better.
        run: the run folder.
    """

    def __init__(
        self,
        tagger: nn.Module,
        objective: Objective,
        recipe: Recipe,
        num_steps: int,
        batches: Batches,
        metric: Metric,
        run: Path,
    ) -> None:
        super().__init__()
        self.tagger, self.objective, self.recipe = tagger, objective, recipe
        self.num_steps, self.batches, self.metric, self.run = num_steps, batches, metric, run
        self.batches_done = 0  # counted by the Checkpoint callback
        self.losses = LossCheck()
        self._scaler: torch.amp.GradScaler | None = None  # of the loss, under fp16
        self.last_logs: dict[str, Tensor] = {}

    def train_dataloader(self) -> Any:  # noqa: ANN401  (Lightning takes any iterable)
        """Return the training batches from where this run is, without end."""
        if isinstance(self.objective, Augmented) and self.objective.remembers:
            self._remember_batch_before(self.objective)
        return self.batches.training(self.batches_done)

    def val_dataloader(self) -> Any:  # noqa: ANN401
        """Return the validation batches, or nothing where there is no validation split."""
        return self.batches.validation()

    def transfer_batch_to_device(
        self, batch: FrameBatch, device: torch.device, dataloader_idx: int
    ) -> FrameBatch:
        """Move a batch; pinned buffers do not block."""
        return batch.to(device)

    def on_train_start(self) -> None:
        """Find the scaler of the loss."""
        self._scaler = getattr(self.trainer.precision_plugin, "scaler", None)

    def on_train_batch_start(self, batch: FrameBatch, batch_idx: int) -> None:
        """Seed the step, so that dropout is the same after a resume."""
        self._seed_step(self.batches_done)

    def _seed_step(self, number: int) -> None:
        torch.manual_seed(derive_seed(self.recipe.seed, number, self.global_rank))

    def _remember_batch_before(self, objective: Augmented) -> None:
        """Read the batch before again, as it was; there is none before the first."""
        number = self.batches_done - 1
        if number >= 0:
            batch = next(iter(self.batches.training(number)))
            self._seed_step(number)
            objective.remember(batch.to(self.device), cast(Tagger, self.tagger))

    def training_step(self, batch: FrameBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch; some steps after one that is not finite training stops.

        Args:
            batch: as the loader gives it.
            batch_idx: unused.

        Raises:
            TrainingError: as `check_losses`, now and then.
        """
        loss, self.last_logs = self.objective(batch, self.tagger)
        self.losses.add(loss, self.global_step, batch.ids)
        if self.losses.is_due:
            self.check_losses()
        if self._scaler is None:
            return loss
        # there gradients that are not finite are what keeps Adam from moving
        return loss * torch.where(self.losses.bad > 0, torch.nan, 1.0)

    def check_losses(self) -> None:
        """Look at the losses since the last check; waits for the device.

        Raises:
            TrainingError: one is not finite; names its batch's ids. The weights are still those
                before it.
        """
        bad = self.losses.look()
        if bad is None:
            return
        self.save_last_good_weights()
        loss = "not finite on another rank" if bad.value is None else bad.value
        raise TrainingError(
            f"the loss is {loss} at step {bad.step}, batch of "
            f"{', '.join(bad.ids[:8])}{', ...' if len(bad.ids) > 8 else ''}",
            where=self.run,
            hint=f"The weights before this batch are in {self.run / 'last-good.safetensors'}. "
            "Look at these videos with `reeltag info`, lower --learning-rate, or train "
            "with --precision fp32.",
        )

    def save_last_good_weights(self) -> None:
        """Write the present weights as `last-good.safetensors`, on the first rank."""
        if self.global_rank == 0:
            save = cast(Any, self.tagger).save_weights
            save(self.run, "last-good.safetensors")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the place in the data, and the state of the objective."""
        checkpoint["batches_done"] = self.batches_done
        for part in stateful_parts(self.objective):
            checkpoint[part.name] = part.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go back to the place in the data."""
        self.batches_done = checkpoint["batches_done"]
        for part in stateful_parts(self.objective):
            if part.name in checkpoint:
                part.load_state_dict(checkpoint[part.name])

    def validation_step(self, batch: FrameBatch, batch_idx: int) -> None:
        """Add a batch to the metric."""
        logits_BC = self.tagger(batch.frames, batch.mask).float()
        if batch.weights is None:
            self.metric.update(logits_BC, batch.labels)
        else:
            self.metric.update(logits_BC, batch.labels, batch.weights)

    @property
    def _can_factor(self) -> bool:
        """Whether all that handles gradients here can handle factored ones."""
        recipe, alone = self.recipe, self.trainer.world_size == 1
        plain = recipe.accumulate == 1 and recipe.precision != "fp16"
        return alone and plain and recipe.optim.clip != "global"

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam and its schedule, stepped once an optimiser step."""
        recipe = self.recipe
        if self._can_factor:
            factor_gradients(self.tagger)
        named = self.tagger.model if isinstance(self.tagger, Tagger) else self.tagger
        optimiser = make_optimiser(learning_groups(named, recipe.optim), recipe.optim)
        examples = recipe.batch_size * recipe.accumulate
        schedule = make_schedule(optimiser, recipe.optim, examples, self.num_steps)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as in the recipe: every tensor alone, or all at once.

        Under fp16 gradients are first divided by the scale of the loss, which fused Adam would do
        in its step, after the clipping. A loss that is not finite keeps Adam from moving.
        """
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)
        else:
            cast(Any, optimizer).found_inf = self.losses.bad
        optim = self.recipe.optim
        if optim.clip == "per-tensor":
            clip_per_tensor(self.tagger.parameters(), optim.clip_norm)
        elif optim.clip == "global":
            nn.utils.clip_grad_norm_(self.tagger.parameters(), optim.clip_norm)
