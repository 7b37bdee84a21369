"""Short trainings, and what their runs hold."""

import csv
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from reeltag.training.config import Optimisation, Recipe

FAST = Optimisation(learning_rate=0.05)
RECIPE = Recipe(batch_size=8, max_steps=12, validate_every=4, log_every=2, optim=FAST)


def weights_of(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    for name, value in weights_of(one).items():
        assert torch.equal(value, weights_of(other)[name]), name


def losses_of(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file) if row["train_loss"]]


def last_state(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(run / "resume.ckpt", weights_only=False)["state_dict"]
    return state
