"""What loggers have written, read by their own libraries: step -> value of a metric."""

import json
import struct
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

_HEADER, _BLOCK, _ENDS = 7, 1 << 15, (1, 4)  # of W&B's file: LevelDB's log format
STEP = "trainer/global_step"


def of_tensorboard(run: Path, metric: str) -> dict[int, float]:
    """Return a metric of the event files of a run."""
    found = EventAccumulator(str(run / "tensorboard")).Reload()
    return {of.step: of.value for of in found.Scalars(metric)}


def parameters_of_tensorboard(run: Path) -> dict[str, Any]:
    """Return what a run was trained with."""
    found: dict[str, Any] = yaml.safe_load((run / "tensorboard" / "hparams.yaml").read_text())
    return found


def wandb_files(run: Path) -> list[Path]:
    """Return the files of W&B's offline runs, oldest first."""
    return sorted((run / "wandb").glob("offline-run-*/*.wandb"))


def wandb_records(file: Path) -> Iterator[Any]:
    """Yield the records of a file of W&B, as its messages."""
    data, at, parts = file.read_bytes(), _HEADER, b""
    message = import_module("wandb.proto.wandb_internal_pb2").Record
    while at + _HEADER <= len(data):
        if _BLOCK - at % _BLOCK < _HEADER:  # no record begins there
            at += _BLOCK - at % _BLOCK
            continue
        _crc, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in _ENDS:
            yield message.FromString(parts)
            parts = b""


def of_wandb(file: Path, metric: str) -> dict[int, float]:
    """Return a metric of an offline run of W&B."""
    found = {}
    for record in wandb_records(file):
        row = {of.key or "/".join(of.nested_key): of.value_json for of in record.history.item}
        if metric in row:
            found[int(json.loads(row[STEP]))] = float(json.loads(row[metric]))
    return found


def parameters_of_wandb(file: Path) -> dict[str, Any]:
    """Return what a run was trained with."""
    found = dict[str, Any]()
    for record in wandb_records(file):
        updates = [*record.run.config.update, *record.config.update]
        found |= {of.key: json.loads(of.value_json) for of in updates if of.key}
    return found


def mlflow_client(folder: Path) -> MlflowClient:
    """Return the client of the store in a run or a study."""
    return MlflowClient(f"sqlite:///{folder.resolve().as_posix()}/mlflow/mlflow.db")


def mlflow_runs(folder: Path, experiment: str = "reeltag") -> list[Run]:
    """Return the runs of an experiment of MLflow, oldest first."""
    client = mlflow_client(folder)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], order_by=["attributes.start_time"]))


def of_mlflow(folder: Path, metric: str, experiment: str = "reeltag") -> dict[int, float]:
    """Return a metric of the newest run in a store of MLflow."""
    run = mlflow_runs(folder, experiment)[-1]
    history = mlflow_client(folder).get_metric_history(run.info.run_id, metric.replace("@", ""))
    return {of.step: of.value for of in history}


def nested(parameters: Mapping[str, Any], path: str) -> Any:
    """Return a parameter by its path, as "recipe.batch_size", of nested ones."""
    value: Any = parameters
    for name in path.split("."):
        value = value[name]
    return value
