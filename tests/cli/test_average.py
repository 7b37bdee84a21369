"""`reeltag average`: from run folders to a run that everything else takes."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.models import nextvlad
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import train

RECIPE = Recipe(batch_size=8, max_steps=6, optim=Optimisation(learning_rate=0.02))


@pytest.fixture(scope="module")
def runs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two trainings that began with the same weights."""
    folder = tmp_path_factory.mktemp("runs")
    train(Dataset.open(corpus, quiet=True), folder / "start", nextvlad.TINY, RECIPE)
    made = []
    for seed in (1, 2):
        recipe = dataclasses.replace(RECIPE, seed=seed, init=str(folder / "start"))
        train(Dataset.open(corpus, quiet=True), folder / str(seed), nextvlad.TINY, recipe)
        made.append(folder / str(seed))
    return made


def result_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run([*map(str, arguments), "--json"]) == 0
    result: dict[str, Any] = json.loads(capfd.readouterr().out)
    return result


def test_average_predicts_and_starts_trainings_like_a_run(
    runs: list[Path], corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mean"
    result = result_of(capfd, "average", *runs, "--out", out)
    assert result["run"] == str(out) and result["runs"] == 2 and result["family"] == "nextvlad"
    file = tmp_path / "P.parquet"
    assert result_of(capfd, "predict", out, "--data", corpus, "--out", file)["videos"] > 0
    again = ["train", "--config", out, "--init", out, "--out", tmp_path / "more"]
    assert result_of(capfd, *again, "--max-steps", 2)["steps"] == 2


def test_average_takes_batch_norm_statistics_from_data_on_request(
    runs: list[Path], corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result_of(capfd, "average", *runs, "--out", tmp_path / "plain")
    common = ["--norms-from", corpus, "--norm-batches", 3, "--device", "cpu"]
    result_of(capfd, "average", *runs, "--out", tmp_path / "fresh", *common)
    result_of(capfd, "average", *runs, "--out", tmp_path / "again", *common)
    plain, fresh, again = (
        load_file(tmp_path / name / "model.safetensors") for name in ("plain", "fresh", "again")
    )
    moved = {name for name in plain if not torch.equal(plain[name], fresh[name])}
    assert moved and all(name.endswith(("running_mean", "running_var")) for name in moved)
    assert all(torch.equal(fresh[name], again[name]) for name in fresh)
    result_of(capfd, "average", runs[0], "--out", tmp_path / "one", *common)


def test_average_of_unlike_runs_is_an_error(
    runs: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    for arguments, match in (
        ([runs[0]], "a mean needs at least two runs"),
        ([*runs, "--norm-batches", "0"], "norm_batches must be >= 1, got 0"),
        ([*runs, "--norm-batches", "5"], "--norm-batches: has no effect without --norms-from"),
        ([*runs, "--device", "cpu"], "--device: has no effect without --norms-from"),
        ([runs[0], tmp_path], "is not a run folder"),
    ):
        assert run(["average", *map(str, arguments), *out]) == 2
        assert match in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
