"""Trainings, and what fits or gathers the tensors that they start from."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from reeltag.core.files import whole_file, write_json
from reeltag.core.tensor_files import load_tensors
from reeltag.data.splits import Splits
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig
from reeltag.papers.common.costs import files_cost, records_cost, train_cost
from reeltag.papers.common.dataset_source import (
    DataLocation,
    DatasetFiles,
    files_of,
    open_data,
)
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.steps.files import RUN, TENSORS
from reeltag.pipeline.steps import step_function
from reeltag.tagger.preparing import preprocessing_of
from reeltag.training import fit
from reeltag.training.centroids import fit_centroids as fit_centroids_to
from reeltag.training.centroids import sample_features
from reeltag.training.run_folder import source_entry

NEVER = 1 << 40  # steps: a recipe that validates so seldom keeps its last weights
_FRAMES_PER_CENTROID = 50


@step_function("train", version=1, cost=train_cost)
def train(
    out: Path,
    data: DataLocation,
    *,
    model: ModelConfig,
    recipe: SplitRecipe,
    preprocessing: PreprocessingConfig | None = None,
    fields: Mapping[str, Path | int] | None = None,
    accelerator: str = "auto",
) -> None:
    """Train into the run folder `out/run`, or resume there; remove its checkpoint at the end.

    Args:
        out: folder of the step.
        data: where the data set is.
        model: sizes, which name the family; classes and widths are taken from the data.
        recipe: everything else, and the part of the data.
        preprocessing: of the stored frames; None = as the family's authors.
        fields: of the recipe that depend on other steps, such as {"init": run, "soft.file": file,
            "soft.equal": 1000, "labels.correlation": file}.
        accelerator: of the recipe.
    """
    run = out / RUN
    finished = run / "metrics.json"  # written last
    if not finished.exists():
        given: dict[str, str | int] = {"accelerator": accelerator}
        for name, value in (fields or {}).items():
            given[name] = str(value.resolve()) if isinstance(value, Path) else value
        if (run / "config.json").exists():
            _update_fields(run / "config.json", files_of(data), given)
            fit.resume(run)
        else:
            for name, setting in given.items():
                recipe = _with_field(recipe, name, setting)
            data_set = open_data(data, recipe.splits)
            fit.train(data_set, run, model, recipe.without_splits(), preprocessing=preprocessing)
        metrics = json.loads(finished.read_text(encoding="utf-8"))
        write_json(finished, {**metrics, "run": RUN})  # `out` will be renamed
    (run / "resume.ckpt").unlink(missing_ok=True)


@step_function("gather_tensors", version=1, cost=files_cost)
def gather_tensors(out: Path, *trained: Path, part: str, into: str) -> None:
    """Gather tensors of several networks under the names that they have in a larger one.

    Args:
        out: folder of the step; gets `tensors.safetensors`.
        *trained: folders of `train` steps.
        part: prefix of the names that are taken: "model.net.towers".
        into: the prefix in the larger one, with {} for the number of the network from 0:
            "nets.{}.towers".
    """
    tensors: dict[str, Tensor] = {}
    for number, folder in enumerate(trained):
        own = load_tensors(folder / RUN / "model.safetensors")
        for name, tensor in own.items():
            if name.startswith(f"{part}."):
                tensors[into.format(number) + name.removeprefix(part)] = tensor
    with whole_file(out / TENSORS) as file:
        safetensors.torch.save_file(tensors, file)


@step_function("fit_centroids", version=1, cost=records_cost)
def fit_centroids(
    out: Path,
    data: DataLocation,
    *,
    preprocessing: PreprocessingConfig,
    clusters: int,
    splits: Splits,
) -> None:
    """Fit centroids of the training videos' frames by k-means, as `reeltag centroids` does.

    Args:
        out: folder of the step; gets `tensors.safetensors`.
        data: where the data set is.
        preprocessing: of the model that needs them.
        clusters: how many.
        splits: the rule that gives a shard its split.
    """
    items = open_data(data, splits).videos("train")
    prepare = preprocessing_of(preprocessing, items.features)
    features_ND = sample_features(items, prepare, _FRAMES_PER_CENTROID * clusters, 0)
    centroids_KD, _ = fit_centroids_to(features_ND, clusters)
    with whole_file(out / TENSORS) as part:
        safetensors.torch.save_file({"centroids_KD": torch.from_numpy(centroids_KD)}, part)


def _with_field(config: Any, name: str, value: str | int) -> Any:  # noqa: ANN401  (any dataclass)
    """Return a dataclass with another value of a field, "soft.file" or "init"."""
    first, _, rest = name.partition(".")
    inner = _with_field(getattr(config, first), rest, value) if rest else value
    return dataclasses.replace(config, **{first: inner})


def _update_fields(file: Path, data: DatasetFiles, given: Mapping[str, str | int]) -> None:
    """Write into the config.json of an unfinished run where data and other steps are today."""
    config = json.loads(file.read_text(encoding="utf-8"))
    data.check()
    config["data"]["root"] = str(data.path.resolve())
    config["data"] |= {name: source_entry(file) for name, file in data.given.items()}
    for name, value in given.items():
        *outer, last = name.split(".")
        fields = config["recipe"]
        for part in outer:
            fields = fields[part]
        fields[last] = value
    write_json(file, config)
