"""Averaged weights: what goes into the average, what is validated and saved, and resumption."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from safetensors.torch import load_file
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.models import logistic, nextvlad
from reeltag.tagger.tagger import Tagger
from reeltag.training.averaging import averaging_for
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import resume, train
from reeltag.training.objectives import supervised

FAST = Optimisation(learning_rate=0.05, schedule="constant")
RECIPE = Recipe(batch_size=8, max_steps=12, validate_every=100, log_every=2, optim=FAST)


def recipe(**changes: Any) -> Recipe:
    names = {field.name for field in dataclasses.fields(Optimisation)}
    optim = {name: value for name, value in changes.items() if name in names}
    rest = {name: value for name, value in changes.items() if name not in names}
    return dataclasses.replace(RECIPE, optim=dataclasses.replace(FAST, **optim), **rest)


LONG = recipe(swa_from=6, swa_every=2, validate_every=5, max_steps=13)


def weights_of(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


class Watched:
    """The usual objective, which notes the weights before every step."""

    def __init__(self) -> None:
        self.before: list[dict[str, Tensor]] = []

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        self.before.append({name: t.clone() for name, t in model.state_dict().items()})
        return supervised(batch, model)


def trained(corpus: Path, out: Path, wanted: Recipe) -> list[dict[str, Tensor]]:
    """Train with batch norm, and return the weights before the training and after every step."""
    watched = Watched()
    train(Dataset.open(corpus), out, nextvlad.TINY, wanted, objective=watched)
    state = torch.load(out / "resume.ckpt", weights_only=False)
    last = state.get("current_model_state", state["state_dict"])
    ours = {n.removeprefix("tagger."): t for n, t in last.items() if n.startswith("tagger.")}
    return [*watched.before, ours]


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert any("running_var" in name for name in found)
    for name, value in found.items():
        # float32 sums of a dozen weights in another order
        torch.testing.assert_close(value, expected[name].to(value.dtype), rtol=1e-5, atol=1e-6)


def mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([s[name].double() for s in states]).mean(0) for name in states[0]}


def test_ema_begins_as_the_first_weights_and_covers_running_statistics(
    corpus: Path, tmp_path: Path
) -> None:
    states = trained(corpus, tmp_path / "run", recipe(ema=0.9))
    shadow = {name: value.double() for name, value in states[0].items()}
    for state in states[1:]:
        shadow = {name: 0.9 * shadow[name] + 0.1 * state[name].double() for name in shadow}
    assert_close(weights_of(tmp_path / "run"), shadow)


def test_ema_from_a_trained_run_begins_as_its_weights(corpus: Path, tmp_path: Path) -> None:
    train(Dataset.open(corpus), tmp_path / "first", logistic.TINY, RECIPE)
    again = recipe(ema=0.999999, init=str(tmp_path / "first"))
    train(Dataset.open(corpus), tmp_path / "second", logistic.TINY, again)
    first, second = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    for (
        name,
        value,
    ) in first.items():  # a millionth of 0.05, 0.1, ..., 0.6, where Adam can have come
        torch.testing.assert_close(second[name], value, rtol=0, atol=4e-6)


def test_average_of_constant_weights_stays_exact() -> None:
    optim = Optimisation(ema=1 - 1 / 2000)
    for averaging in (averaging_for(optim, 9, 0), averaging_for(swa(1.0), 9, 0)):
        assert averaging is not None
        move, state = averaging._kwargs["multi_avg_fn"], SimpleNamespace(n_averaged=0)
        averaging._average_model = cast(Any, state)
        constant, numbers = torch.tensor([4 / 255, 0.1]), torch.tensor([7, 7])
        average, kept = constant.clone(), torch.tensor([7, 7])
        for state.n_averaged in range(1, 3000):
            move([average], [constant], None)
            move([kept], [numbers], None)
        assert torch.equal(average, constant) and torch.equal(kept, numbers)
        move([kept], [torch.tensor([8, 9])], None)
        assert kept.tolist() == [8, 9]


def swa(start: float, every: int = 1) -> Optimisation:
    return dataclasses.replace(FAST, swa_from=start, swa_every=every)


@pytest.mark.parametrize(
    ("start", "every", "steps"),
    [(0.5, 1, range(6, 13)), (7, 2, (7, 9, 11)), (1, 5, (1, 6, 11)), (0.001, 10, (1, 11))],
)
def test_swa_is_the_mean_of_the_weights_after_the_steps_that_it_names(
    corpus: Path, tmp_path: Path, start: float, every: int, steps: Any
) -> None:
    states = trained(corpus, tmp_path / "run", recipe(swa_from=start, swa_every=every))
    assert_close(weights_of(tmp_path / "run"), mean([states[step] for step in steps]))


def test_weights_are_validated_until_there_is_a_mean_and_the_mean_from_then_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Tensor]] = []
    monkeypatch.setattr(Tagger, "save_weights", saves(seen, Tagger.save_weights))
    monkeypatch.setattr("reeltag.training.callbacks.Validation.best", Always(), raising=False)
    states = trained(corpus, tmp_path / "run", recipe(swa_from=7, swa_every=1, validate_every=4))
    expected = [states[4], mean(states[7:9]), *[mean(states[7:13])] * 2]  # and once at the end
    for found, of in zip(seen, expected, strict=True):
        assert_close(found, of)


def test_averaging_leaves_the_training_itself_as_it_is(corpus: Path, tmp_path: Path) -> None:
    plain = trained(corpus, tmp_path / "plain", recipe(validate_every=4))
    for name, wanted in (
        ("swa", recipe(swa_from=7, validate_every=4)),
        ("ema", recipe(ema=0.9, validate_every=4)),
    ):
        states = trained(corpus, tmp_path / name, wanted)
        for one, other in zip(plain, states, strict=True):
            assert all(torch.equal(one[key], other[key]) for key in one)


class Always:
    """A best value so far that any new one exceeds."""

    def __get__(self, instance: object, owner: type | None = None) -> float:
        return float("-inf")

    def __set__(self, instance: object, value: float) -> None:
        pass


def saves(seen: list[dict[str, Tensor]], save: Callable[..., None]) -> Callable[..., None]:
    def noted(tagger: Tagger, folder: Path, name: str = "model.safetensors") -> None:
        seen.append({key: value.clone() for key, value in tagger.state_dict().items()})
        save(tagger, folder, name)

    return noted


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a mean, not stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(Dataset.open(corpus), out, nextvlad.TINY, LONG)
    return out


@pytest.mark.parametrize("stop", [4, 6, 9])  # before, at and after the first weights of the mean
def test_training_that_was_stopped_goes_on_to_the_same_mean(
    corpus: Path, whole: Path, tmp_path: Path, stop: int
) -> None:

    class Stopping(Watched):
        def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
            if len(self.before) == stop:
                raise KeyboardInterrupt
            return super().__call__(batch, model)

    wanted = dataclasses.replace(LONG, save_minutes=0.0)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(Dataset.open(corpus), tmp_path / "cut", nextvlad.TINY, wanted, objective=Stopping())
    assert torch.load(tmp_path / "cut" / "resume.ckpt", weights_only=False)["global_step"] <= stop
    resume(tmp_path / "cut")
    states = [
        torch.load(run / "resume.ckpt", weights_only=False) for run in (whole, tmp_path / "cut")
    ]
    for key in ("state_dict", "current_model_state", "averaging_state"):
        assert all(torch.equal(states[0][key][n], states[1][key][n]) for n in states[0][key])
    one, two = weights_of(whole), weights_of(tmp_path / "cut")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_training_that_is_made_longer_forgets_a_mean_that_began_too_early(
    corpus: Path, tmp_path: Path
) -> None:
    wanted = recipe(swa_from=0.5, swa_every=1, max_steps=6)
    train(Dataset.open(corpus), tmp_path / "pieces", nextvlad.TINY, wanted)
    resume(tmp_path / "pieces", max_steps=16)
    whole = dataclasses.replace(wanted, max_steps=16)
    train(Dataset.open(corpus), tmp_path / "whole", nextvlad.TINY, whole)
    one, two = weights_of(tmp_path / "whole"), weights_of(tmp_path / "pieces")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_average_goes_where_the_weights_went() -> None:
    averaging = averaging_for(Optimisation(ema=0.5), 9, 0)
    assert averaging is not None
    module = LightningModule()
    module.register_buffer("weight", torch.ones(2))
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    averaging.setup(trainer, module, "fit")
    module.to("meta")
    module._device = torch.device("meta")
    averaging.on_train_start(trainer, module)
    moved = averaging._average_model
    assert moved is not None and moved.module.weight.device.type == "meta"
    assert moved.n_averaged.device.type == "cpu"  # read at each step, it waits for no device


def test_options_that_would_average_nothing_raise() -> None:
    for value in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match=r"swa_from is .*; allowed: 0, a fraction in"):
            Optimisation(swa_from=value)
    with pytest.raises(ConfigError, match="swa_every is 0; allowed: an integer >= 1"):
        Optimisation(swa_from=5, swa_every=0)
    with pytest.raises(ConfigError, match="both average the weights; give one"):
        Optimisation(swa_from=5, ema=0.9)
    with pytest.raises(ConfigError, match="step 10, and the training ends at step 9"):
        averaging_for(swa(10), 9, 0)
    with pytest.raises(ConfigError, match="step 8, and the last validation at step 6: the mean"):
        averaging_for(swa(8), 9, 3 * 2)
    assert averaging_for(swa(8), 9, 4) is not None and averaging_for(swa(8), 9, 10) is not None
    assert averaging_for(FAST, 9, 1) is None


def test_training_that_raises_leaves_no_folder(corpus: Path, tmp_path: Path) -> None:
    recipe = Recipe(max_steps=9, batch_size=4, optim=swa(10))
    with pytest.raises(ConfigError, match="step 10, and the training ends at step 9"):
        train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe)
    assert not (tmp_path / "run").exists()


def test_pace_of_no_mean_is_logged_to_have_no_effect(capfd: pytest.CaptureFixture[str]) -> None:
    assert averaging_for(FAST, 9, 0) is None and not capfd.readouterr().err
    assert averaging_for(swa(0, 3), 9, 0) is None
    assert "swa_every has no effect without swa_from" in capfd.readouterr().err


def test_log_has_how_many_weights_the_mean_is_of() -> None:
    told = averaging_for(swa(0.75, 10), 1200, 100)
    assert told is not None
    assert told.words == "SWA: mean of 31 weights, every 10 steps from step 900 on"
