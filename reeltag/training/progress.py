"""What a person sees while a model trains: one line with speed, loss, metric and time left."""

import time
from typing import cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from reeltag.core.batch import FrameBatch
from reeltag.core.console import STDERR
from reeltag.training.loss_check import LossCheck


class Speed:
    """Examples per second, smoothed over the last few dozen steps, validation not counted."""

    def __init__(self) -> None:
        self.value = 0.0
        self._last: float | None = None

    def step(self, examples: int) -> None:
        """Count `examples` since the last step."""
        now = time.perf_counter()
        if self._last is not None:
            rate = examples / max(now - self._last, 1e-9)
            self.value = rate if not self.value else 0.95 * self.value + 0.05 * rate
        self._last = now

    def pause(self) -> None:
        """Leave out what passes until the next step."""
        self._last = None


class ProgressLine(Callback):
    """One line on stderr; on a log file (no terminal) a line every `every` seconds instead."""

    def __init__(self, speed: Speed, num_steps: int, metric: str, every: float = 30.0) -> None:
        self.speed, self.num_steps, self.metric, self.every = speed, num_steps, metric, every
        self.best: float | None = None
        self._told = time.monotonic()
        self._bar: Progress | None = None

    def best_is(self, value: float) -> None:
        """Show `value` as the best of the validation metric so far."""
        self.best = value

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the line, on the first rank only."""
        if not trainer.is_global_zero or not STDERR.is_terminal:
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=STDERR)
        self._bar.add_task("", total=self.num_steps, completed=trainer.global_step, words="")
        self._bar.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: FrameBatch,
        batch_idx: int,
    ) -> None:
        """Bring the line up to date."""
        self.speed.step(len(batch) * trainer.world_size)
        if not trainer.is_global_zero:
            return
        loss = cast(LossCheck, pl_module.losses).last
        words = f"{self.speed.value:,.0f} videos/s  loss {loss:.3f}"
        if self.best is not None:
            words += f"  best {self.metric} {self.best:.4f}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=trainer.global_step, words=words)
        elif time.monotonic() - self._told > self.every:
            self._told = time.monotonic()
            left = self.num_steps - trainer.global_step
            minutes = left * len(batch) * trainer.world_size / max(self.speed.value, 1e-9) / 60
            STDERR.print(
                f"step {trainer.global_step}/{self.num_steps}  {words}  {minutes:.1f} min left",
                highlight=False,
            )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation does not count as training time."""
        self.speed.pause()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the line."""
        self.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the line before the error is shown."""
        self.close()

    def close(self) -> None:
        """Stop drawing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
