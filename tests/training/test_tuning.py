"""A study: begun, stopped, gone on with as if it had not been; what fails or is poor is told."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("optuna", reason="optuna is not installed (pip install 'reeltag[tune]')")

from reeltag.core.errors import ConfigError, OutputError, TrainingError
from reeltag.data.dataset import Dataset
from reeltag.models import resnet_like
from reeltag.training import fit, tuning
from reeltag.training.callbacks import Validation
from reeltag.training.config import Recipe
from reeltag.training.fit import Result
from reeltag.training.search_space import Choice, Range, Space
from reeltag.training.tuning import Search, Study, Trial
from tests.data.made import frame_record, write_shard
from tests.processes import Launch

SPACE: Space = {"model.inner": Choice((8, 16, 32)), "learning_rate": Range(low=1e-4, high=1e-1)}
Train = Callable[..., Result]


def search(data: Path, *, prune: bool = False, space: Space = SPACE) -> Search:
    recipe = Recipe(batch_size=16, max_steps=4, validate_every=2)
    return Search(
        data=Dataset.open(data, quiet=True),
        model=resnet_like.Config(inner=16),
        recipe=recipe,
        preprocessing=resnet_like.PREPROCESSING,
        space=space,
        prune=prune,
    )


def made(values: Callable[[int], list[float]]) -> Train:
    """Return what stands for a training: trial n says these values one after another."""

    def train(
        data: Dataset, out: Path, model: Any, recipe: Recipe, *, callbacks: Any, **_: Any
    ) -> Result:
        out.mkdir(parents=True)
        said = values(int(out.name[-4:]))
        for step, value in enumerate(said):
            validation = Validation("gap@20", None, lambda: None, lambda best: None)
            validation.last = value
            trainer: Any = SimpleNamespace(global_step=step, callbacks=[validation])
            callbacks[0].on_validation_end(trainer, None)
        return Result(
            run=out, steps=len(said), metric="gap", best=max(said), best_step=0, seconds=1.0
        )

    return train


def ignore(trial: Trial) -> None:
    """Tell nobody."""


def test_trial_0_is_the_family_as_it_is_and_the_best_is_found(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "train", made(lambda n: [0.1, 0.5 if n == 3 else 0.2 + n / 100]))
    told = list[Trial]()
    study = Study(search(corpus), tmp_path / "study")
    study.run(6, told.append)
    assert [of.number for of in told] == list(range(6))
    assert told[0].values == {"model.inner": 16, "learning_rate": 2e-4}
    best = study.best()
    assert best is not None and best.number == 3 and best.value == 0.5
    importance = study.importance()
    assert set(importance) == set(SPACE) and sum(importance.values()) == pytest.approx(1)


def test_study_that_was_stopped_goes_on_as_if_it_had_not_been(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Study(search(corpus), tmp_path / "whole")
    monkeypatch.setattr(fit, "train", made(lambda n: [0.2 + n % 5 / 100]))
    whole.run(14, ignore)

    def stopped(n: int) -> list[float]:
        if n == 12:
            raise KeyboardInterrupt
        return [0.2 + n % 5 / 100]

    parts = tmp_path / "parts"
    monkeypatch.setattr(fit, "train", made(stopped))
    Study(search(corpus), parts).run(3, ignore)
    with pytest.raises(KeyboardInterrupt):
        Study(search(corpus), parts).run(14, ignore)
    study = Study(search(corpus), parts)
    assert [of.state for of in study.trials()][-1] == "running"
    (parts / "trial-0012").rmdir()  # nothing was saved yet
    monkeypatch.setattr(fit, "train", made(lambda n: [0.2 + n % 5 / 100]))
    study.run(14, ignore)
    assert [of.values for of in study.trials()] == [of.values for of in whole.trials()]
    assert [of.state for of in study.trials()] == ["complete"] * 14
    study.run(14, lambda _: pytest.fail("all are there"))


def test_poor_trainings_are_pruned_only_if_requested(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "train", made(lambda n: [0.5, 0.6] if n < 6 else [0.1, 0.9]))
    study = Study(search(corpus, prune=True), tmp_path / "a")
    study.run(8, ignore)
    assert [of.state for of in study.trials()] == ["complete"] * 6 + ["pruned"] * 2
    assert study.trials()[-1].value == 0.1
    best = study.best()
    assert best is not None and best.value == 0.6
    other = Study(search(corpus), tmp_path / "b")
    other.run(8, ignore)
    assert [of.state for of in other.trials()] == ["complete"] * 8


def test_training_that_fails_is_reported_and_the_others_go_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def values(n: int) -> list[float]:
        if n == 1:
            raise RuntimeError("out of memory\nin a long story")
        return [0.3]

    monkeypatch.setattr(fit, "train", made(values))
    study = Study(search(corpus), tmp_path / "study")
    study.run(3, ignore)
    assert [of.state for of in study.trials()] == ["complete", "failed", "complete"]
    assert study.trials()[1].words == "RuntimeError: out of memory"


def test_when_all_fail_the_study_gives_up_and_names_why(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def values(n: int) -> list[float]:
        raise TrainingError("the loss is nan")

    monkeypatch.setattr(fit, "train", made(values))
    study = Study(search(corpus), tmp_path / "study")
    with pytest.raises(TrainingError, match="all 3 trials failed, the last one with .*is nan"):
        study.run(30, ignore)


def test_another_search_raises_in_the_same_folder(corpus: Path, tmp_path: Path) -> None:
    Study(search(corpus), tmp_path / "study")
    other: Space = {"model.inner": Choice((8,))}
    with pytest.raises(ConfigError, match="study: was begun with another space"):
        Study(search(corpus, space=other), tmp_path / "study")
    first = search(corpus)
    longer = dataclasses.replace(first, recipe=dataclasses.replace(first.recipe, max_steps=8))
    with pytest.raises(ConfigError, match=r"another recipe: recipe.max_steps was 4, and is now 8"):
        Study(longer, tmp_path / "study")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="full: holds something else already"):
        Study(search(corpus), tmp_path / "full")
    with pytest.raises(ConfigError, match="nothing is searched"):
        Study(search(corpus, space={}), tmp_path / "none")


def test_training_that_was_stopped_goes_on_from_its_checkpoint(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(search(corpus), tmp_path / "study")
    run, seen = tmp_path / "study" / "trial-0000", list[int]()

    def stop_after_a_validation(trial: Any, value: float, step: int) -> None:
        seen.append(step)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("optuna.Trial.report", stop_after_a_validation)
        with pytest.raises(KeyboardInterrupt):
            study.run(1, ignore)
    assert (run / "config.json").exists() and seen == [2] and not (run / "metrics.json").exists()
    told = list[Trial]()
    Study(search(corpus), tmp_path / "study").run(1, told.append)
    assert [of.state for of in told] == ["complete"] and (run / "metrics.json").exists()
    assert not (run / "resume.ckpt").exists() and (run / "model.safetensors").exists()
    found = study.study.get_trials()[0].intermediate_values
    assert list(found) == [2, 4] and told[0].value == max(found.values())


def test_search_without_a_defined_metric_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_shard(folder / "train0.tfrecord", [frame_record(f"t{n}") for n in range(20)])
    write_shard(folder / "validate0.tfrecord", [frame_record("v", labels=[])])
    study = Study(search(folder), tmp_path / "study")
    with pytest.raises(ConfigError, match="trainings cannot be compared: none of the 1 validation"):
        study.run(2, ignore)


def _study_on_a_full_disk(corpus: Path, folder: Path) -> str:
    pytest.MonkeyPatch().setattr(fit, "train", made(lambda n: [n / 100]))
    with pytest.raises(OutputError) as caught:
        Study(search(corpus), folder).run(50, ignore)
    return str(caught.value)


def test_study_on_a_full_disk_goes_on_when_there_is_space(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launch: Launch
) -> None:
    folder = tmp_path / "study"
    search(corpus)  # which writes its index
    told = launch(_study_on_a_full_disk, corpus, folder, most_bytes=6007).result()
    assert "journal.log: cannot be written (File too large)" in told
    journal = (folder / tuning.JOURNAL).read_bytes()
    assert len(journal) == 6007 and not journal.endswith(b"\n")
    monkeypatch.setattr(fit, "train", made(lambda n: [n / 100]))
    study = Study(search(corpus), folder)
    assert {of.state for of in study.trials()} <= {"complete", "running"}
    number = len(study.trials())
    study.run(number + 2, ignore)
    assert [of.state for of in Study(search(corpus), folder).trials()] == ["complete"] * (
        number + 2
    )
