"""What a caller brings to a training: an objective, a logger, callbacks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.data.dataset import Dataset
from reeltag.models import logistic
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train

RECIPE = Recipe(batch_size=8, max_steps=4, validate_every=2, log_every=1, seed=3)


def squared_error(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the Brier score of a batch: an objective that is not in the package."""
    assert batch.labels is not None
    probs_BC = model(batch.frames, batch.mask).sigmoid()
    loss = (probs_BC - batch.labels).square().mean()
    return loss, {"brier": loss.detach()}


class ListLogger(Logger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[int, dict[str, float]]] = []

    name, version = "list", 0

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.logged.append((step or 0, dict(metrics)))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Take no part."""


class Validations(Callback):
    """Counts validations over resumes, and stops the training at the first if so told."""

    def __init__(self, stop: bool = False) -> None:
        self.seen: list[float] = []
        self.stop = stop

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(float(trainer.callback_metrics["validate_gap@20"]))
        trainer.should_stop = self.stop

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = state_dict["seen"]


def test_own_objective_and_logger_take_the_place_of_ours(corpus: Path, tmp_path: Path) -> None:
    logger = ListLogger()
    train(
        Dataset.open(corpus, quiet=True),
        tmp_path / "run",
        logistic.TINY,
        RECIPE,
        objective=squared_error,
        loggers=[logger],
    )
    train(Dataset.open(corpus, quiet=True), tmp_path / "ours", logistic.TINY, RECIPE, loggers=())
    briers = [numbers["brier"] for _, numbers in logger.logged if "brier" in numbers]
    losses = [numbers["train_loss"] for _, numbers in logger.logged if "brier" in numbers]
    assert len(briers) == 4 and losses == pytest.approx(briers, rel=1e-5)  # 6 digits are written
    assert any("validate_gap@20" in numbers for _, numbers in logger.logged)
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert not (tmp_path / "ours" / "tensorboard").exists()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "ours")]
    assert weights[0] != weights[1]


def test_own_callback_sees_validations_and_keeps_its_state(corpus: Path, tmp_path: Path) -> None:
    first, second = Validations(), Validations()
    result = train(
        Dataset.open(corpus, quiet=True), tmp_path / "run", logistic.TINY, RECIPE, callbacks=[first]
    )
    assert len(first.seen) == 2 and max(first.seen) == pytest.approx(result.best)
    resume(tmp_path / "run", max_steps=6, callbacks=[second])
    assert second.seen[:2] == first.seen and len(second.seen) == 3


def test_own_callback_ends_the_training(corpus: Path, tmp_path: Path) -> None:
    result = train(
        Dataset.open(corpus, quiet=True),
        tmp_path / "run",
        logistic.TINY,
        RECIPE,
        callbacks=[Validations(stop=True)],
    )
    assert result.steps == 2 and torch.isfinite(torch.tensor(result.best))
