"""Random numbers of a step: drawn again in each, the same in a repetition and after a resume."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from reeltag.core.batch import FrameBatch
from reeltag.data.dataset import Dataset
from reeltag.models import logistic
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train
from reeltag.training.losses import Objective
from reeltag.training.objectives import supervised

RECIPE = Recipe(batch_size=8, max_steps=4, validate_every=2)


def recording(masks: list[Tensor]) -> Objective:
    """Return the supervised objective, which notes a dropout mask of every step."""

    def objective(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        masks.append(dropout(torch.ones(64), 0.5))
        return supervised(batch, model)

    return objective


def masks_of(corpus: Path, run: Path, recipe: Recipe = RECIPE) -> list[Tensor]:
    masks: list[Tensor] = []
    train(Dataset.open(corpus), run, logistic.TINY, recipe, objective=recording(masks))
    return masks


def test_dropout_differs_from_step_to_step_and_with_the_seed(corpus: Path, tmp_path: Path) -> None:
    masks = masks_of(corpus, tmp_path / "run")
    masks += masks_of(corpus, tmp_path / "other", dataclasses.replace(RECIPE, seed=1))
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks) == 8


def test_dropout_after_a_resume_is_that_of_the_whole_run(corpus: Path, tmp_path: Path) -> None:
    whole = masks_of(corpus, tmp_path / "whole")
    pieces = masks_of(corpus, tmp_path / "pieces", dataclasses.replace(RECIPE, max_steps=2))
    resume(tmp_path / "pieces", max_steps=4, objective=recording(pieces))
    torch.testing.assert_close(pieces, whole, rtol=0, atol=0)
