"""What a training starts from: weights of another run, or fitted tensors."""

import dataclasses
from pathlib import Path
from typing import Protocol, runtime_checkable

from safetensors import SafetensorError
from torch import Tensor

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.tensor_files import load_tensors
from reeltag.models import family_of
from reeltag.tagger.hub_runs import local_run
from reeltag.tagger.run_files import read_class_names, read_config, read_model
from reeltag.tagger.tagger import Tagger


@runtime_checkable
class NeedsFitting(Protocol):
    """A model some of whose tensors must be filled before it can be trained."""

    def check_ready(self) -> None:
        """Raise ConfigError, with the way out, where they are not."""


def start(tagger: Tagger, init: str) -> None:
    """Fill `tagger` from `init` in place, if it is not empty, and see that it can be trained.

    Args:
        tagger: with freshly drawn weights.
        init: a run folder or a run on the hub, whose tagger must be of the same family, sizes,
            streams and classes; or a .safetensors file, each of whose tensors must have a place in
            the model (which may have more: they stay as they were drawn). The preprocessing is
            never changed.

    Raises:
        ConfigError: `init` does not fit, or the model needs tensors that are not filled.
        DataError: `init` cannot be read.
        HubUnreachableError: it is on the hub, which cannot be reached.
    """
    path = local_run(init)
    if init and path.is_dir():
        _check_same_tagger(tagger, path)
        other = Tagger.load(path)
        tagger.model.load_state_dict(other.model.state_dict())
        say(f"Starting from the weights of {path}.")
    elif init:
        _fill(tagger, path)
    if isinstance(tagger.model, NeedsFitting):
        tagger.model.check_ready()


def _check_same_tagger(tagger: Tagger, run: Path) -> None:
    """Raise ConfigError where the run's tagger is another one, with the difference."""
    config, where = read_config(run), run / "config.json"
    model = read_model(config, where=where)
    own, its = dataclasses.asdict(tagger.config), dataclasses.asdict(model)
    family = family_of(model).name
    if family != tagger.family:
        differs = f"is of the family {family}, this one is {tagger.family}"
    elif own != its:
        name = next(name for name in own if own[name] != its[name])
        differs = f"has {name} {its[name]}, this one has {own[name]}"
    elif tuple(read_class_names(run)) != tagger.class_names:
        differs = "has another class list than these data"
    else:
        return
    raise ConfigError(
        f"its model {differs}",
        where=run,
        hint="Give the options that it was trained with, or train from the start without --init.",
    )


def _fill(tagger: Tagger, path: Path) -> None:
    """Load tensors by their names, which may do without the leading `model.`."""
    try:
        tensors: dict[str, Tensor] = load_tensors(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(
            f"cannot be read ({reason})",
            where=path,
            hint="--init takes a run folder or a .safetensors file.",
        ) from error
    own = tagger.model.state_dict()
    found = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    for name, tensor in found.items():
        if name not in own or own[name].shape != tensor.shape:
            needed = tuple(own[name].shape) if name in own else "no such tensor"
            raise ConfigError(
                f"its tensor {name!r} has shape {tuple(tensor.shape)}; the model has {needed}",
                where=path,
                hint="Make the file for this model, with the same sizes and streams.",
            )
    tagger.model.load_state_dict(own | found)
    say(f"Starting from {len(found)} of {len(own)} tensors in {path}: {', '.join(found)}.")
