"""The arithmetic mean of the weights of several runs, as a run of its own.

Weights are summed up in float64, one tensor at a time, so that memory holds one model, and what is
the same in all runs stays exactly so. The mean of trainings that began with the same weights
is often better than each of them (Wortsman et al. 2022, arXiv:2203.05482); that of trainings that
began apart is useless, as their units mean different things.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, check_new_path, to_paths, whole_folder, write_json
from reeltag.data.features import Features
from reeltag.labels.folds import FoldConfig
from reeltag.models import family_of
from reeltag.tagger.run_files import read_class_names, read_config, read_model
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import THRESHOLDS_FILE

AVERAGED = "averaged"  # entry of config.json: the runs that a run is the mean of
_FIRST = "the first has"


@dataclass(frozen=True)
class AveragedRun:
    """One of the runs: its folder, the content of its config.json, and the file of its weights."""

    run: Path
    config: Mapping[str, Any]
    weights: Path

    @classmethod
    def at(cls, path: Path) -> "AveragedRun":
        """Find what `path` names: a run folder, or a .safetensors file in one.

        Args:
            path: of the run folder or the file.

        Raises:
            DataError: there is no config.json, or there are no weights.
        """
        run = path.parent if path.is_file() else path
        weights = path if path.is_file() else path / "model.safetensors"
        config = read_config(run)
        if not weights.is_file():
            raise DataError(
                f"has no {weights.name}",
                where=run,
                hint="Give run folders whose trainings have validated or ended, or .safetensors "
                "files next to a config.json.",
            )
        return cls(run, config, weights)


def average_runs(
    paths: Sequence[PathLike],
    out: PathLike,
    finish: Callable[[Tagger], object] = lambda tagger: None,
) -> Tagger:
    """Write the mean of several runs into the new run folder `out`, and return its tagger.

    config.json and classes.csv are those of the first run, with the entry `averaged`; where the
    runs held out different folds, the mean has seen all of them, as its recipe records.

    Args:
        paths: run folders, or .safetensors files in them; one given twice counts twice.
        out: the run folder to make.
        finish: is given the tagger before it is written, such as for new statistics of its norms.

    Raises:
        ConfigError: the runs differ in family, sizes, classes, streams, preprocessing or splits, or
            in a tensor that is no weight.
        DataError: one cannot be read, or holds what is not a number.
        OutputError: `out` exists.
    """
    paths = to_paths(paths)
    out = Path(out)
    check_new_path(out)
    members = [AveragedRun.at(path) for path in paths]
    if not members:
        raise ConfigError("no run is given")
    for other in members[1:]:
        _check_same_recipe(members[0], other)
    _warn_of_other_starts(members)
    if any((member.run / THRESHOLDS_FILE).is_file() for member in members):
        say("the mean has scores of its own: the thresholds of the runs are not taken over")
    tensors = _mean(members)
    first = members[0]
    config = {**first.config, AVERAGED: [str(path.resolve()) for path in paths]}
    if len({json.dumps(_recipe(m, "fold"), sort_keys=True) for m in members}) > 1:
        config["recipe"] = {**config["recipe"], "fold": dataclasses.asdict(FoldConfig())}
    names = read_class_names(first.run)
    features = Features.find(first.run)
    where = first.run / "config.json"
    tagger = Tagger.from_description(config, names, features=features, where=where)
    _check_fit(tagger, tensors, first.weights)
    tagger.load_state_dict(tensors)
    finish(tagger)
    with whole_folder(out) as part:
        tagger.save_classes(part)
        tagger.features.save(part)
        tagger.save_weights(part)
        write_json(part / "config.json", config)
    return tagger.eval()


def _check_same_recipe(first: AveragedRun, other: AveragedRun) -> None:
    """Raise ConfigError where the mean of two runs would mean nothing, with the reason."""
    one, two = _identity(first), _identity(other)
    for name, own in one.items():
        if two[name] == own:
            continue
        what = f"has {name} {_short(two[name])}; {_FIRST} {_short(own)}"
        if name == "classes":
            what = f"has another class list ({len(two[name])} classes) than the first ({len(own)})"
        raise ConfigError(
            what,
            where=other.run,
            hint="Average runs of one model on one data set; `reeltag blend` averages what "
            "different ones predict.",
        )


def _identity(of: AveragedRun) -> dict[str, Any]:
    """Return what must be the same, the coarsest first."""
    model = read_model(of.config, where=of.run / "config.json")
    sizes = dataclasses.asdict(model)
    return {
        "family": family_of(model).name,
        "classes": read_class_names(of.run),
        **{f"model.{name}": value for name, value in sizes.items()},
        "streams": of.config.get("streams"),
        "preprocessing": of.config.get("preprocessing"),
        "splits": of.config.get("data", {}).get("splits"),
    }


def _recipe(of: AveragedRun, name: str) -> Any:  # noqa: ANN401  (as the JSON has it)
    recipe = of.config.get("recipe")
    return recipe.get(name) if isinstance(recipe, Mapping) else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _warn_of_other_starts(members: Sequence[AveragedRun]) -> None:
    """Log where nothing shows that all began with the same weights."""
    folders = {str(member.run.resolve()) for member in members}
    starts = {_recipe(member, "init") or str(member.run.resolve()) for member in members}
    starts |= {_recipe(m, "init") for m in members if _recipe(m, "init") in folders}
    if len(folders) > 1 and len(starts) > 1:
        say(
            f"these runs began with different weights ({len(starts)} starts): the mean is likely "
            "to know nothing. Evaluate it, or average what they predict with `reeltag blend`."
        )


def _mean(members: Sequence[AveragedRun]) -> dict[str, Tensor]:
    """Return the mean of every tensor, in the type that the first member has it in."""
    with ExitStack() as stack:
        files = []
        for member in members:
            try:
                files.append(stack.enter_context(safe_open(member.weights, "pt")))
            except (OSError, SafetensorError) as error:
                raise DataError(
                    f"cannot be read: damaged, or cut short? ({error})",
                    where=member.weights,
                    hint="Leave it out, or train it again.",
                ) from error
        names = set(files[0].keys())
        for member, file in zip(members, files, strict=True):
            if odd := sorted(names ^ set(file.keys())):
                raise DataError(
                    f"the tensor {odd[0]!r} is in one of this file and {members[0].weights} only",
                    where=member.weights,
                    hint="Take the files as training wrote them.",
                )
        return {
            name: _mean_of(name, [file.get_tensor(name) for file in files], members)
            for name in sorted(names)
        }


def _mean_of(name: str, tensors: Sequence[Tensor], members: Sequence[AveragedRun]) -> Tensor:
    first = tensors[0]
    for member, tensor in zip(members, tensors, strict=True):
        if tensor.shape != first.shape or not tensor.isfinite().all():
            shapes = f"the shape {tuple(tensor.shape)}, in the first run {tuple(first.shape)}"
            what = "NaN or infinity" if tensor.shape == first.shape else shapes
            raise DataError(f"the tensor {name!r} has {what}", where=member.weights)
        if name.startswith("prepare.") and not torch.equal(tensor, first):
            raise ConfigError(
                f"prepares the frames in another way ({name!r} differs: other eigenvalues?)",
                where=member.weights,
            )
    if first.is_floating_point():
        total = torch.zeros_like(first, dtype=torch.float64)
        for tensor in tensors:
            total += tensor
        return (total / len(tensors)).to(first.dtype)
    if first.ndim == 0:  # a counter
        return torch.stack(list(tensors)).amax()
    for member, tensor in zip(members, tensors, strict=True):
        if not torch.equal(tensor, first):
            raise ConfigError(
                f"the whole numbers {name!r} differ from those of the first, and have no mean",
                where=member.weights,
            )
    return first


def _check_fit(tagger: Tagger, tensors: Mapping[str, Tensor], where: Path) -> None:
    own = tagger.state_dict()
    shared = own.keys() & tensors.keys()
    wrong = sorted(own.keys() ^ tensors.keys())
    wrong += sorted(name for name in shared if own[name].shape != tensors[name].shape)
    if wrong:
        raise DataError(
            f"the weights do not fit config.json, first at {wrong[0]!r}",
            where=where,
            hint="Take both files from the same run.",
        )
