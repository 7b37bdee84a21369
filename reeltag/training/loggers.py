"""Where a training logs to besides metrics.csv: TensorBoard, Weights & Biases, MLflow, own loggers.

    RUN/tensorboard/        event files; trials of a study: STUDY/trial-*/tensorboard
    RUN/wandb/              of W&B, offline: `wandb sync` sends it; WANDB_MODE=online sends at once
    RUN/mlflow/mlflow.db    store of MLflow; of a study STUDY/mlflow/mlflow.db, with a run a trial;
                            MLFLOW_TRACKING_URI names another one

Nothing leaves this machine unless one of the two variables says so.
"""

import hashlib
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias, cast, get_args

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from reeltag.core.errors import ConfigError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.files import is_utf8
from reeltag.core.text import json_text
from reeltag.core.writing import make_folder
from reeltag.training.config import LoggerName

NAMES: tuple[LoggerName, ...] = get_args(LoggerName)
_TITLES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases", "mlflow": "MLflow"}
_PACKAGES = {
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}
_PROJECT = "reeltag"
_TAG = "reeltag.run"  # of a run of MLflow: which run folder it is of


@dataclass(frozen=True)
class StudyLoggers:
    """What the trials of a study are logged to.

    Attributes:
        names: of the loggers; None: `default_loggers` of each trial.
        study: folder of the study.
    """

    names: Sequence[LoggerName] | None
    study: Path


Loggers: TypeAlias = Sequence[LoggerName | Logger] | StudyLoggers


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What is logged, and where.

    Attributes:
        run: folder of the run.
        study: folder of the study that it is a trial of; None: it is none.
        goes_on: whether the run goes on from a checkpoint, and its logs with it.
    """

    run: Path
    study: Path | None
    goes_on: bool

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.run.resolve().name

    @property
    def experiment(self) -> str:
        """What runs are compared within."""
        return _PROJECT if self.study is None else self.study.resolve().name


def default_loggers(run: Path) -> tuple[LoggerName, ...]:
    """Return TensorBoard, and what the run has logged to before, as far as they can log."""
    begun = [name for name in NAMES if name == "tensorboard" or (run / name).is_dir()]
    return tuple(name for name in begun if not why_not(name, run))


def why_not(name: LoggerName, run: Path) -> str:
    """Return why a logger cannot log a run into its folder; "" = it can."""
    if any(find_spec(package) is None for package in _PACKAGES[name]):
        return f"{_TITLES[name]} is not installed (pip install 'reeltag[track]')"
    if not is_utf8(run):
        return f"{_TITLES[name]} writes into no folder whose name is not UTF-8"
    if name == "mlflow" and "?" in str(run.resolve()) and not os.environ.get("MLFLOW_TRACKING_URI"):
        return "MLflow writes into no folder with a ? in its path"
    return ""


def check_loggers(wanted: Loggers | None, run: Path) -> None:
    """Raise where a logger that is asked for cannot log.

    Args:
        wanted: as of `opened_loggers`.
        run: folder of the run.

    Raises:
        MissingPackageError: it is not installed.
        ConfigError: there is none of that name, or it cannot write into such a folder.
    """
    for name in _listed(wanted) or ():
        if isinstance(name, Logger):
            continue
        if name not in NAMES:
            raise ConfigError(f"there is no logger {name!r}; there are {', '.join(NAMES)}")
        check_extra("track", *_PACKAGES[name])
        if reason := why_not(name, run):
            raise ConfigError(reason, where=run, hint="Choose another --out, or logger.")


@contextmanager
def opened_loggers(
    wanted: Loggers | None, run: Path, *, goes_on: bool = False
) -> Iterator[list[Logger]]:
    """Yield loggers of Lightning; those that are made here are at their end after the block.

    Args:
        wanted: names, and loggers of Lightning, which are handed on; None: `default_loggers`.
        run: folder of the run.
        goes_on: whether it goes on from a checkpoint, and its logs with it.

    Raises:
        MissingPackageError, ConfigError: as `check_loggers`; or W&B or MLflow cannot begin, as
            where WANDB_MODE=online and there is no internet.
    """
    check_loggers(wanted, run)
    first = int(os.environ.get("RANK", 0)) == 0  # of several processes only one logs
    listed = _listed(wanted)
    names = default_loggers(run) if listed is None else listed
    study = wanted.study if isinstance(wanted, StudyLoggers) else None
    place = _Place(run=run, study=study, goes_on=goes_on)
    with ExitStack() as stack:
        loggers = list[Logger]()
        for of in names:
            if isinstance(of, Logger):
                loggers.append(of)
            elif first:
                loggers.append(stack.enter_context(_OPEN[of](place)))
        yield loggers


def _listed(wanted: Loggers | None) -> Sequence[LoggerName | Logger] | None:
    return wanted.names if isinstance(wanted, StudyLoggers) else wanted


def log_parameters(loggers: Sequence[Logger], parameters: Mapping[str, Any], metric: str) -> None:
    """Log what a run is trained with, so that runs can be compared by it.

    Args:
        loggers: to log to.
        parameters: config.json, or as much of it as is to be compared.
        metric: name of the best validation, by which TensorBoard compares.
    """
    plain = json.loads(json_text(parameters))  # lists, which YAML has, for tuples
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):  # shows none without a metric
            logger.log_hyperparams(plain, {metric: math.nan})
        else:
            logger.log_hyperparams(plain)


@contextmanager
def _tensorboard(place: _Place) -> Iterator[Logger]:
    yield TensorBoardLogger(place.run, name="", version="tensorboard", default_hp_metric=False)


@contextmanager
def _wandb(place: _Place) -> Iterator[Logger]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    before = sorted((place.run / "wandb").glob("*run-*-*"), key=lambda folder: folder.name)
    goes_on = place.goes_on and before
    make_folder(place.run)
    try:
        run = wandb.init(
            dir=place.run,
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            group=place.experiment if place.study else None,
            name=place.name,
            id=before[-1].name.rpartition("-")[2] if goes_on else None,
            mode=os.environ.get("WANDB_MODE", "offline"),  # type: ignore[arg-type]  # W&B checks it
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True),
        )
    except wandb.Error as error:
        raise _cannot_begin("wandb", error, "Unset WANDB_MODE: W&B then needs no internet") from (
            error
        )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    failed = True
    try:
        yield WandbLogger(experiment=run, save_dir=place.run)
        failed = False
    finally:
        run.finish(exit_code=int(failed))


@contextmanager
def _mlflow(place: _Place) -> Iterator[Logger]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow.exceptions import MlflowException

    folder = (place.study or place.run).resolve() / "mlflow"
    elsewhere = os.environ.get("MLFLOW_TRACKING_URI")
    if not elsewhere:
        make_folder(folder)
    key = hashlib.sha256(os.fsencode(place.run.resolve())).hexdigest()[:16]
    try:
        with _quiet_mlflow():
            logger = MLFlowLogger(
                experiment_name=place.experiment,
                run_name=place.name,
                tracking_uri=elsewhere or f"sqlite:///{folder.as_posix()}/mlflow.db",
                tags={_TAG: key},
                artifact_location=None if elsewhere else (folder / "artifacts").as_uri(),
            )
            if place.goes_on and (run_id := _earlier_run(logger, place.experiment, key)):
                logger = MLFlowLogger(tracking_uri=logger._tracking_uri, run_id=run_id)
            _ = logger.run_id  # begins it, and sets what every use of MLflow here goes by:
            mlflow.set_tracking_uri(cast(str, elsewhere))  # as it was; None unsets it
    except MlflowException as error:
        hint = "Unset MLFLOW_TRACKING_URI: MLflow then logs into the run folder"
        raise _cannot_begin("mlflow", error, hint) from error
    try:
        yield logger
    except BaseException:
        logger.finalize("failed")
        raise


def _earlier_run(logger: MLFlowLogger, experiment: str, key: str) -> str | None:
    """Return the id of the newest run of MLflow of a run folder; None where there is none."""
    client = logger._mlflow_client
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return None
    runs = client.search_runs([found.experiment_id], f"tags.`{_TAG}` = '{key}'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


@contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """Keep MLflow from telling of the tables that it makes."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*noload.*")  # its use of SQLAlchemy
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _cannot_begin(name: LoggerName, error: Exception, hint: str) -> ConfigError:
    return ConfigError(f"{_TITLES[name]} cannot begin a run ({reason_of(error)})", hint=f"{hint}.")


_OPEN: Mapping[LoggerName, Callable[[_Place], AbstractContextManager[Logger]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
