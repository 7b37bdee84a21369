"""Losses are looked at some steps later, all at once, on all ranks."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.training.config import Recipe
from reeltag.training.loss_check import EVERY, BadLoss, LossCheck
from reeltag.training.module import TaggerTraining


def check_of(*losses: float) -> LossCheck:
    check = LossCheck()
    for step, loss in enumerate(losses):
        check.add(torch.tensor(loss), step, (f"video {step}",))
    return check


def test_first_loss_that_is_not_finite_is_found_later_with_its_batch() -> None:
    check = check_of(3.0, 2.0, math.inf, math.nan, 1.0)
    assert check.look() == BadLoss(math.inf, 2, ("video 2",))
    assert check.bad == 1 and math.isinf(check.last)
    assert check_of(3.0, 2.0).look() is None


def test_losses_are_due_after_the_first_and_then_after_many() -> None:
    check, due = LossCheck(), []
    for step in range(2 * EVERY + 1):
        check.add(torch.tensor(float(step)), step, ())
        if check.is_due:
            due.append(step)
            assert check.look() is None and check.last == step
    assert due == [0, EVERY, 2 * EVERY]


def test_loss_of_another_rank_stops_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    others = iter([0.0, 1.0, 1.0])

    def all_reduce(tensor: Tensor) -> None:
        tensor += next(others)

    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    check = check_of(3.0, 2.0, math.nan)
    assert check.look() == BadLoss(None, 1, ("video 1",))
    assert check.bad == 1  # not 2, though both ranks were bad: Adam takes 1 for a reason to wait


def test_training_steps_do_not_wait_for_their_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def objective(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        return model(batch.frames).square().mean(), {}

    arguments: Any = (nn.Linear(2, 2), objective, Recipe(), 99, None, None, tmp_path)
    module, reads = TaggerTraining(*arguments), list[str]()

    def counted(name: str) -> Callable[[Tensor], object]:
        read = getattr(Tensor, name)

        def reading(x: Tensor) -> object:
            reads.append(name)
            return read(x)

        return reading

    for name in ("item", "tolist", "__float__", "__bool__", "__int__", "numpy", "cpu"):
        monkeypatch.setattr(Tensor, name, counted(name))
    batch = FrameBatch(frames=torch.ones(3, 2), mask=torch.ones(3, 1).bool(), ids=("a", "b", "c"))
    steps = 4 * EVERY + 1
    for number in range(steps):
        module.on_train_batch_start(batch, number)
        module.training_step(batch, number).backward()
    assert len(reads) == 5  # after the first step, and after every 16 more
