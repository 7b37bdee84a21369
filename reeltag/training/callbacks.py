"""What happens around the steps: metrics.csv, validation, the best weights, the checkpoint."""

import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from reeltag.core.batch import FrameBatch
from reeltag.core.files import appending, whole_file
from reeltag.core.interrupt import StopRequest
from reeltag.training.progress import Speed

COLUMNS = ("step", "examples", "seconds", "train_loss", "learning_rate", "videos_per_second")


class MetricsFile:
    """`metrics.csv`: a row every few steps, and one a validation; open to any spreadsheet.

    Args:
        path: of the file.
        metric: name of the validation metric, a column of its own (`validate_<metric>`).
        step: rows after this step are dropped (a resumed run makes them again).
    """

    def __init__(self, path: Path, metric: str, step: int) -> None:
        self.path, self.columns = path, (*COLUMNS, f"validate_{metric}")
        rows = []
        if path.exists():
            with path.open(encoding="utf-8", newline="", errors="replace") as file:
                rows = [row for row in csv.DictReader(file) if self._is_whole(row, step)]
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, self.columns)
            table.writeheader()
            table.writerows(rows)

    def _is_whole(self, row: Mapping[str, str | None], step: int) -> bool:
        """Return whether a row is ours, not cut short by a full disk, and not after `step`."""
        at = row.get("step") or ""
        return set(row) == set(self.columns) and at.isdecimal() and int(at) <= step

    def add(self, row: Mapping[str, object]) -> None:
        """Append one row; columns that are not in it stay empty."""
        line = io.StringIO(newline="")
        csv.DictWriter(line, self.columns).writerow(row)
        with appending(self.path) as file:
            file.write(line.getvalue().encode())


class TrainLog(Callback):
    """Writes training rows to metrics.csv, and them and the objective's logs to the loggers."""

    def __init__(self, file: MetricsFile | None, speed: Speed, every: int) -> None:
        self.file, self.speed, self.every = file, speed, every
        self.began = time.monotonic()
        self.seconds_before = 0.0

    @property
    def seconds(self) -> float:
        """Wall time of the training, those before a resume included."""
        return self.seconds_before + time.monotonic() - self.began

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to count: loggers, which may take their time to begin, have begun."""
        self.began = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: FrameBatch,
        batch_idx: int,
    ) -> None:
        """Write a row every `every` steps, on the first rank, with the mean loss of all."""
        step = trainer.global_step
        if step % self.every:
            return
        module = cast(Any, pl_module)
        module.check_losses()
        own = torch.tensor(module.losses.last, device=module.device)
        loss = float(trainer.strategy.reduce(own, reduce_op="mean"))
        if self.file is None:
            return
        row = {
            "step": step,
            "examples": step * module.recipe.batch_size * module.recipe.accumulate,
            "seconds": f"{self.seconds:.1f}",
            "train_loss": f"{loss:.6g}",
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}",
            "videos_per_second": f"{self.speed.value:.1f}",
        }
        self.file.add(row)
        numbers = {key: float(value) for key, value in row.items() if key != "step"}
        numbers |= {key: float(value) for key, value in module.last_logs.items()}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step)

    def state_dict(self) -> dict[str, Any]:
        """Return the wall time so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting where the earlier run stopped."""
        self.seconds_before = state_dict["seconds"]


class Validation(Callback):
    """Computes the validation metric and keeps the weights that were best in it.

    It is before weight averaging in the list of callbacks, so that it sees the averaged weights.

    Args:
        name: of the metric.
        file: metrics.csv, on the first rank.
        keep: writes the present weights as the run's.
        on_best: is given every new best value.
    """

    def __init__(
        self,
        name: str,
        file: MetricsFile | None,
        keep: Callable[[], None],
        on_best: Callable[[float], None],
    ) -> None:
        self.name, self.file, self.keep, self.on_best = name, file, keep, on_best
        self.best, self.best_step = -math.inf, 0
        self.last = math.nan

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compute, log, compare, keep."""
        module = cast(Any, pl_module)
        if trainer.sanity_checking or module.batches.validate is None:
            return
        self.last = float(module.metric.compute())
        module.metric.reset()
        pl_module.log(f"validate_{self.name}", self.last, sync_dist=False, rank_zero_only=False)
        if self.file is not None:
            self.file.add({"step": trainer.global_step, f"validate_{self.name}": self.last})
        if math.isfinite(self.last) and self.last > self.best:
            self.best, self.best_step = self.last, trainer.global_step
            if trainer.is_global_zero:
                self.keep()
        if math.isfinite(self.best):
            pl_module.log(self.best_name, self.best, sync_dist=False, rank_zero_only=False)
        self.on_best(self.best)

    @property
    def best_name(self) -> str:
        """What the best value is called in logs."""
        return f"best_validate_{self.name}"

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its step."""
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on comparing with the best of the earlier run."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.on_best(self.best)


class Checkpoint(Callback):
    """Counts the batches done and saves `resume.ckpt` every few minutes; is last in the list.

    The file is replaced only when the new one is complete, so a kill at any moment leaves one.
    After Ctrl-C (`stop`) it saves as soon as it can, and raises KeyboardInterrupt.
    """

    def __init__(self, path: Path, minutes: float, stop: StopRequest) -> None:
        self.path, self.seconds, self.stop = path, minutes * 60, stop
        self._saved = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: FrameBatch,
        batch_idx: int,
    ) -> None:
        """Save when it is time, but never between a step and the validation that follows it.

        (Lightning takes such a validation for done when it resumes.)
        """
        module = cast(Any, pl_module)
        module.batches_done += 1
        validates_next = module.batches_done % trainer.val_check_batch == 0
        between_steps = module.batches_done % module.recipe.accumulate == 0
        stop = self.stop.requested
        due = stop or time.monotonic() - self._saved >= self.seconds
        if trainer.world_size > 1:  # all ranks save together or not at all
            due, stop = trainer.strategy.broadcast((due, stop))
        can_save = between_steps and not validates_next
        if due and can_save:
            self.save(trainer)
        every_step_validates = cast(int, trainer.val_check_batch) <= module.recipe.accumulate
        if stop and (can_save or every_step_validates):
            raise KeyboardInterrupt

    def save(self, trainer: Trainer) -> None:
        """Write the checkpoint now; a loss that is not finite is reported instead."""
        cast(Any, trainer.lightning_module).check_losses()
        if trainer.is_global_zero:
            with whole_file(self.path) as part:
                trainer.save_checkpoint(part)
        else:
            trainer.save_checkpoint(self.path)  # takes part, but writes nothing
        self._saved = time.monotonic()


class CheckpointFile(TorchCheckpointIO):
    """Writes a checkpoint where it is told to, and nowhere else, as Lightning's own does."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: what Lightning gathered.
            path: the temporary file of `Checkpoint.save`.
            storage_options: not used.
        """
        torch.save(checkpoint, path)


class SaveAtEnd(Callback):
    """Saves the last checkpoint; is before weight averaging, which then replaces weights."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save."""
        self.checkpoint.save(trainer)
