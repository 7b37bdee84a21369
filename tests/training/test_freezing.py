"""Frozen weights: what stays, what learns, and who is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.models import sub_nets
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import train
from reeltag.training.freezing import freeze


def trained(
    corpus: Path, out: Path, steps: int, frozen: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    recipe = Recipe(
        batch_size=8, max_steps=steps, frozen=frozen, optim=Optimisation(learning_rate=0.1)
    )
    train(Dataset.open(corpus), out, sub_nets.TINY, recipe)
    return load_file(out / "model.safetensors")


def test_frozen_tensors_and_their_running_statistics_stay_and_the_others_learn(
    corpus: Path, tmp_path: Path
) -> None:
    few = trained(corpus, tmp_path / "few", 1, ("net.towers.*",))
    more = trained(corpus, tmp_path / "more", 4, ("net.towers.*",))
    towers = [name for name in few if ".towers." in name]
    assert any("running_mean" in name for name in towers)
    assert all(torch.equal(few[name], more[name]) for name in towers)
    assert (few["model.net.towers.0.0.norm.running_mean"] == 0).all()
    assert not torch.equal(few["model.net.output.weight"], more["model.net.output.weight"])


def test_pattern_of_nothing_and_one_of_everything_raise() -> None:
    model = sub_nets.TINY.build()
    with pytest.raises(ConfigError, match=r"no parameter 'nets\.\*'") as found:
        freeze(model, ("nets.*",))
    assert "net.towers.0.0" in found.value.hint
    with pytest.raises(ConfigError, match="nothing is left to learn"):
        freeze(model, ("*",))
