"""TensorBoard, Weights & Biases and MLflow: what each has written, without a network."""

import csv
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from sqlalchemy import Engine, event

import reeltag
from reeltag.cli.main import run as command
from reeltag.core.errors import ConfigError
from reeltag.training.config import Recipe
from reeltag.training.fit import resume
from reeltag.training.loggers import NAMES
from tests.training import logged
from tests.training.test_own_parts import ListLogger

RECIPE = Recipe(batch_size=8, max_steps=4, validate_every=2, log_every=1, seed=3)
METRICS = ("train_loss", "learning_rate", "validate_gap@20")
pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:.*noload.*"),  # MLflow's use of SQLAlchemy, read
]


@pytest.fixture(scope="module", autouse=True)
def nothing_calls_home() -> Iterator[None]:
    """Check that nothing connects to where W&B's servers would be; MLflow's are not named."""
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as home:
        patch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{home.getsockname()[1]}")
        patch.setenv("WANDB_API_KEY", "0" * 40)
        for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        yield
        wandb.teardown()  # the process that writes for it
        home.setblocking(False)
        with pytest.raises(BlockingIOError):
            home.accept()


def _not_waiting(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let SQLite trust the system: MLflow makes its tables in a hundred transactions."""
    event.listen(Engine, "connect", _not_waiting)
    yield
    event.remove(Engine, "connect", _not_waiting)


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was logged everywhere; not to be changed."""
    out = tmp_path_factory.mktemp("logged") / "a run"
    return reeltag.train(corpus, "logistic", out, recipe=RECIPE, loggers=NAMES).run


def rows(run: Path, metric: str) -> dict[int, float]:
    with (run / "metrics.csv").open(newline="") as file:
        return {int(of["step"]): float(of[metric]) for of in csv.DictReader(file) if of[metric]}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_are_those_of_metrics_csv(run: Path, metric: str) -> None:
    own = rows(run, metric)
    assert list(own) == ([2, 4] if metric.startswith("validate") else [1, 2, 3, 4])
    (file,) = logged.wandb_files(run)
    # validations are logged as of the step before, as Lightning counts
    for found in (
        logged.of_tensorboard(run, metric),
        logged.of_wandb(file, metric),
        logged.of_mlflow(run, metric),
    ):
        assert list(found.values()) == pytest.approx(list(own.values()), rel=1e-5)
        assert all(abs(a - b) <= 1 for a, b in zip(found, own, strict=True))


def test_best_validation_is_logged_to_compare_runs_by(run: Path) -> None:
    best, name = json.loads((run / "metrics.json").read_text())["best"], "best_validate_gap@20"
    (file,) = logged.wandb_files(run)
    for found in (
        logged.of_tensorboard(run, name),
        logged.of_wandb(file, name),
        logged.of_mlflow(run, name),
    ):
        assert list(found.values())[-1] == pytest.approx(best)


def test_parameters_are_those_of_the_run(run: Path) -> None:
    (file,), (of_mlflow,) = logged.wandb_files(run), logged.mlflow_runs(run)
    for found in (logged.parameters_of_tensorboard(run), logged.parameters_of_wandb(file)):
        assert logged.nested(found, "recipe.batch_size") == 8
        assert logged.nested(found, "recipe.optim.learning_rate") == pytest.approx(2e-4)
        assert logged.nested(found, "family") == "logistic"
    assert of_mlflow.data.params["recipe/batch_size"] == "8"
    assert of_mlflow.data.params["family"] == "logistic"
    assert (of_mlflow.info.run_name, of_mlflow.info.status) == ("a run", "FINISHED")


def test_resumed_run_goes_on_with_its_logs(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    reeltag.train(corpus, "logistic", out, recipe=RECIPE, loggers=NAMES)
    resume(out, max_steps=6)  # no logger is named: those that there are
    steps = [1, 2, 3, 4, 5, 6]
    assert list(logged.of_tensorboard(out, "train_loss")) == steps
    assert list(logged.of_mlflow(out, "train_loss")) == steps
    (of_mlflow,), files = logged.mlflow_runs(out), logged.wandb_files(out)
    assert of_mlflow.info.status == "FINISHED"
    assert len(files) == 2 and len({file.name for file in files}) == 1  # the id
    assert [list(logged.of_wandb(file, "train_loss")) for file in files] == [steps[:4], steps[4:]]


def test_own_logger_is_next_to_named_ones(corpus: Path, tmp_path: Path) -> None:
    own, out = ListLogger(), tmp_path / "run"
    reeltag.train(corpus, "logistic", out, recipe=RECIPE, loggers=[own, "tensorboard"])
    found = {step: of["train_loss"] for step, of in own.logged if "train_loss" in of}
    assert found == pytest.approx(rows(out, "train_loss"))
    assert logged.of_tensorboard(out, "train_loss") == pytest.approx(found)
    assert not (out / "wandb").exists() and not (out / "mlflow").exists()


def test_run_of_the_caller_at_wandb_stays_open(corpus: Path, tmp_path: Path) -> None:
    settings = wandb.Settings(console="off", silent=True)
    with wandb.init(dir=tmp_path, mode="offline", settings=settings) as own:
        reeltag.train(corpus, "logistic", tmp_path / "run", recipe=RECIPE, loggers=["wandb"])
        assert wandb.run is own
        own.log({"mine": 1})
    (file,) = logged.wandb_files(tmp_path / "run")
    assert len(logged.of_wandb(file, "train_loss")) == 4


class Fails(Callback):
    """Ends a training with an error."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        raise LookupError("on purpose")


def test_failed_run_is_logged_as_failed(
    run: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a store of MLflow that is elsewhere, and has a run already."""
    (tmp_path / "mlflow").mkdir()
    shutil.copy(run / "mlflow" / "mlflow.db", tmp_path / "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    options: dict[str, Any] = {"loggers": ["mlflow", "wandb"], "callbacks": [Fails()]}
    with pytest.raises(LookupError):
        reeltag.train(corpus, "logistic", tmp_path / "run", recipe=RECIPE, **options)
    assert not (tmp_path / "run" / "mlflow").exists()
    assert os.environ["MLFLOW_TRACKING_URI"].startswith(f"sqlite:///{tmp_path}")
    (before, of_mlflow), (file,) = (
        logged.mlflow_runs(tmp_path),
        logged.wandb_files(tmp_path / "run"),
    )
    assert (before.info.status, of_mlflow.info.status) == ("FINISHED", "FAILED")
    exits = [of.exit.exit_code for of in logged.wandb_records(file) if of.HasField("exit")]
    assert exits == [1]


def test_trials_of_a_study_are_logged_each(corpus: Path, tmp_path: Path) -> None:
    study = tmp_path / "sizes"
    words = ["tune", "logistic", "--data", str(corpus), "--out", str(study), "--trials", "2"]
    words += ["--max-steps", "4", "--batch-size", "8", "--space", "learning_rate=0.01:0.1"]
    assert command([*words, "--log-to", *NAMES]) == 0
    trials = [study / "trial-0000", study / "trial-0001"]
    runs = logged.mlflow_runs(study, "sizes")
    assert [of.info.run_name for of in runs] == [trial.name for trial in trials]
    for trial, of_mlflow in zip(trials, runs, strict=True):
        best = json.loads((trial / "metrics.json").read_text())["best"]
        rate = json.loads((trial / "config.json").read_text())["recipe"]["optim"]["learning_rate"]
        assert of_mlflow.data.metrics["best_validate_gap20"] == pytest.approx(best)
        assert float(of_mlflow.data.params["recipe/optim/learning_rate"]) == pytest.approx(rate)
        (file,) = logged.wandb_files(trial)
        groups = {of.run.run_group for of in logged.wandb_records(file) if of.HasField("run")}
        assert groups == {"sizes"}
        name = "best_validate_gap@20"
        for found in (logged.of_tensorboard(trial, name), logged.of_wandb(file, name)):
            assert list(found.values())[-1] == pytest.approx(best)


def test_command_logs_where_it_is_told(corpus: Path, tmp_path: Path) -> None:
    words = ["train", "logistic", "--data", str(corpus), "--max-steps", "2", "--batch-size", "8"]
    for names in ([], ["tensorboard"], ["mlflow", "wandb"]):
        out = tmp_path / f"run-{len(names)}"
        assert command([*words, "--out", str(out), "--log-to", *names]) == 0
        assert {name for name in NAMES if (out / name).exists()} == set(names)


def test_folder_of_any_name_is_logged_into(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "é #1 50%'s"
    reeltag.train(corpus, "logistic", out, recipe=RECIPE, loggers=["mlflow", "tensorboard"])
    assert len(logged.of_mlflow(out, "train_loss")) == 4
    odd = tmp_path / "why?"
    with pytest.raises(ConfigError, match=r"MLflow writes into no folder with a \?"):
        reeltag.train(corpus, "logistic", odd, recipe=RECIPE, loggers=["mlflow"])
    assert not odd.exists()


@pytest.mark.parametrize("name", NAMES)
def test_missing_package_is_named_with_its_command(
    corpus: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in ("reeltag.core.extras", "reeltag.training.loggers"):
        monkeypatch.setattr(f"{module}.find_spec", lambda package: None)
    words = ["train", "logistic", "--data", str(corpus), "--out", str(tmp_path / "run")]
    assert command([*words, "--log-to", name]) == 2
    shown = capsys.readouterr().err
    assert f"needs {name}" in shown
    assert "pip install 'reeltag[track]'" in shown
    assert not (tmp_path / "run").exists()


def test_unknown_logger_is_an_error(corpus: Path, tmp_path: Path) -> None:
    names: Any = ["comet"]
    with pytest.raises(ConfigError, match="there is no logger 'comet'; there are tensorboard"):
        reeltag.train(corpus, "logistic", tmp_path / "run", recipe=RECIPE, loggers=names)
