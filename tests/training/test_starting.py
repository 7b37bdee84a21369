"""Training from the weights of another run, or from fitted tensors; and who is refused."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.models import logistic, moe
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import train
from reeltag.training.starting import start

STILL = Recipe(batch_size=8, max_steps=1, optim=Optimisation(learning_rate=1e-12))


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("start") / "first"
    train(Dataset.open(corpus), out, moe.TINY, Recipe(batch_size=8, max_steps=6, seed=1))
    return out


def test_training_starts_from_the_weights_of_another(
    corpus: Path, run: Path, tmp_path: Path
) -> None:
    train(
        Dataset.open(corpus), tmp_path / "on", moe.TINY, dataclasses.replace(STILL, init=str(run))
    )
    first, then = (load_file(of / "model.safetensors") for of in (run, tmp_path / "on"))
    for name, value in first.items():
        torch.testing.assert_close(then[name], value, rtol=0, atol=1e-9)  # one step of 1e-12


@pytest.mark.parametrize("prefix", ["", "model."])
def test_tensors_of_a_file_are_taken_by_name_and_the_others_stay(
    run: Path, tmp_path: Path, prefix: str
) -> None:
    tagger = Tagger.load(run)
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    given = torch.full_like(before["model.head.gates.weight"], 0.25)
    save_file({f"{prefix}head.gates.weight": given}, tmp_path / "some.safetensors")
    start(tagger, str(tmp_path / "some.safetensors"))
    for name, value in tagger.state_dict().items():
        expected = given if name == "model.head.gates.weight" else before[name]
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


def test_another_model_raises_before_a_run_folder_is_made(
    corpus: Path, run: Path, tmp_path: Path
) -> None:
    out, recipe = tmp_path / "out", dataclasses.replace(STILL, init=str(run))
    with pytest.raises(ConfigError, match="its model is of the family moe, this one is logistic"):
        train(Dataset.open(corpus), out, logistic.TINY, recipe)
    other = dataclasses.replace(moe.TINY, num_experts=3)
    with pytest.raises(ConfigError, match="its model has num_experts 2, this one has 3"):
        train(Dataset.open(corpus), out, other, recipe)
    audio = dataclasses.replace(recipe, streams=("audio",))
    with pytest.raises(ConfigError, match=r"its model has dims \(16, 4\), this one has \(4,\)"):
        train(Dataset.open(corpus), out, moe.TINY, audio)
    assert not out.exists()


def test_another_class_list_raises(run: Path) -> None:
    tagger = Tagger.load(run)
    tagger.class_names = ("other", *tagger.class_names[1:])
    with pytest.raises(ConfigError, match="its model has another class list than these data"):
        start(tagger, str(run))


def test_file_that_does_not_fit_raises(run: Path, tmp_path: Path) -> None:
    path, tagger = tmp_path / "tensors.safetensors", Tagger.load(run)
    save_file({"head.gates.weight": torch.zeros(2, 3)}, path)
    with pytest.raises(ConfigError, match=r"'head.gates.weight' has shape \(2, 3\); the model has"):
        start(tagger, str(path))
    save_file({"centroids_KD": torch.zeros(2, 3)}, path)
    with pytest.raises(ConfigError, match="the model has no such tensor"):
        start(tagger, str(path))
    path.write_bytes(b"not tensors")
    with pytest.raises(DataError, match="cannot be read"):
        start(tagger, str(path))
    with pytest.raises(DataError, match="cannot be read"):
        start(tagger, str(tmp_path / "absent"))


def test_model_that_must_be_fitted_first_raises(run: Path) -> None:
    class Unfitted(nn.Module):
        def check_ready(self) -> None:
            raise ConfigError("the centroids were never fitted", hint="Run `reeltag centroids`.")

    tagger = Tagger.load(run)
    tagger.model = Unfitted()
    with pytest.raises(ConfigError, match="never fitted"):
        start(tagger, "")
