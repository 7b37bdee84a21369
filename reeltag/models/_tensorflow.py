"""Weights of the authors' TensorFlow checkpoints, dumped to arrays, loaded into our models by name.

TensorFlow is not needed here; with it, a checkpoint becomes such a dump by

    reader = tf.train.load_checkpoint(path)
    numpy.savez("dump.npz", **{n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()})

Each of our models and layers has `tensorflow_names()`, a mapping from a part of ours to the name
of theirs. A part is a parameter, or a linear layer (theirs: a scope with `weights`, `biases`), or
a batch norm (theirs: a scope with `gamma`, `beta`, `moving_mean`, `moving_variance`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.core.errors import ConfigError, DataError
from reeltag.layers.norm import MaskedBatchNorm

Shape = tuple[int, ...]
STREAMS = ("video_VLAD", "audio_VLAD")
AVERAGE = "/ExponentialMovingAverage"
OPTIMISER = re.compile(
    r"(^|/)((Adam|Momentum|RMSProp|Adagrad|Adadelta|Ftrl)(_\d+)?|beta\d_power(_\d+)?|global_step)$"
)
MOST_NAMES = 6  # in a message
LINEAR = {"weight": "weights", "bias": "biases"}
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


@runtime_checkable
class FromTensorflow(Protocol):
    """A module that knows the names of its parts in the authors' checkpoint."""

    def tensorflow_names(self) -> dict[str, str]:
        """Return the mapping from a part of ours to the name of theirs."""


@runtime_checkable
class OtherOrder(Protocol):
    """A module whose rows are in another order than in the authors' checkpoint."""

    def from_tensorflow(self, part: str, tensor: Tensor) -> Tensor:
        """Return `tensor`, of the shape of our `part`, with its rows in our order."""


def load_tensorflow(
    model: nn.Module, variables: Mapping[str, NDArray[Any]], *, where: object = ""
) -> None:
    """Fill `model` in place from the variables of the authors' checkpoint.

    Names may have a leading `tower/` and a trailing `:0`, and `.` in place of `/`; the optimiser's
    variables, their moving averages and the step counter are not used. Linear weights are
    transposed.

    Args:
        model: has `tensorflow_names`.
        variables: name -> array of floating point numbers, for example an opened .npz.
        where: file that they are from, for the error.

    Raises:
        ConfigError: `model` does not know TensorFlow names.
        DataError: a variable is missing, has no place in the model, or has the wrong shape; `model`
            is then unchanged.
    """
    if not isinstance(model, FromTensorflow):
        raise ConfigError(f"no TensorFlow names are known for {type(model).__name__}")
    theirs = {plain_name(name): variables[name] for name in variables if is_weight(name)}
    names, own = parameter_names(model), model.state_dict()
    shapes = {names[ours]: _their_shape(model, ours, own[ours].shape) for ours in names}
    loaded = {
        ours: _turned(model, ours, theirs[name]) for ours, name in names.items() if name in theirs
    }
    missing = [f"{name} {shapes[name]}" for name in shapes.keys() - theirs.keys()]
    unknown = [f"{name} {np.shape(theirs[name])}" for name in theirs.keys() - shapes.keys()]
    wrong = [
        f"{names[ours]} is {np.shape(theirs[names[ours]])}, needed {shapes[names[ours]]}"
        for ours, tensor in loaded.items()
        if tensor.shape != own[ours].shape
    ]
    kinds = {"missing": missing, "unknown to the model": unknown, "of another shape": wrong}
    found = [f"{kind}: {_listed(names)}" for kind, names in kinds.items() if names]
    if found:
        raise DataError(
            f"the arrays do not fit {type(model).__name__}: {'; '.join(found)}",
            where=where,
            hint="Build the model with the sizes and options that it was trained with.",
        )
    ordered = {ours: _ordered(model, ours, tensor) for ours, tensor in loaded.items()}
    model.load_state_dict(ordered, strict=False)  # checked above
    for module in model.modules():
        if isinstance(module, MaskedBatchNorm):
            module.settle()


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - MOST_NAMES
    return ", ".join(ordered[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def is_weight(name: str) -> bool:
    """Return whether a variable is of the model: not an optimiser's, no moving average."""
    plain = plain_name(name)
    return not (OPTIMISER.search(plain) or plain.endswith(AVERAGE))


def plain_name(name: str) -> str:
    """Return a name as the authors' code has it, without the scope around the whole model.

    >>> plain_name("tower/gates/weights:0")
    'gates/weights'
    """
    return name.removesuffix(":0").replace(".", "/").removeprefix("tower/")


def parameter_names(model: FromTensorflow) -> dict[str, str]:
    """Return, for every tensor of `model`'s state that they have too, the name of theirs."""
    names = {}
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    for ours, theirs in model.tensorflow_names().items():
        part = modules.get(ours)
        if part is None:
            names[ours] = theirs
            continue
        leaves = NORM if isinstance(part, MaskedBatchNorm) else LINEAR
        for leaf in leaves.keys() & part.state_dict().keys():
            names[f"{ours}.{leaf}"] = f"{theirs}/{leaves[leaf]}"
    return names


def stream_names(pools: Iterable[nn.Module]) -> dict[str, str]:
    """Return the names of the pooling layers, one for each stream, called `pools` in the model."""
    names = {}
    for index, pool in enumerate(pools):
        if index >= len(STREAMS) or not isinstance(pool, FromTensorflow):
            raise ConfigError(f"the authors' models have two streams, {STREAMS}, not {index + 1}")
        for ours, theirs in pool.tensorflow_names().items():
            names[f"pools.{index}.{ours}"] = f"{STREAMS[index]}/{theirs}"
    return names


def in_our_layout(model: nn.Module, ours: str, array: NDArray[Any]) -> Tensor:
    """Return an array of theirs (weight, gradient, ...) in the layout of our tensor `ours`."""
    return _ordered(model, ours, _turned(model, ours, array))


def _turned(model: nn.Module, ours: str, array: NDArray[Any]) -> Tensor:
    """Turn linear weights from (in, out) to (out, in), and drop a leading 1."""
    owner, _, leaf = ours.rpartition(".")
    tensor = torch.from_numpy(np.array(array))
    if leaf == "weight" and isinstance(model.get_submodule(owner), nn.Linear):
        return tensor.T if tensor.ndim == 2 else tensor
    if tensor.ndim == 3 and tensor.shape[0] == 1:  # centres, (1, F, K)
        return tensor[0]
    return tensor


def _their_shape(model: nn.Module, ours: str, shape: Shape) -> Shape:
    """Return the shape of an array of theirs; where they have a leading 1, without it."""
    owner, _, leaf = ours.rpartition(".")
    linear = leaf == "weight" and isinstance(model.get_submodule(owner), nn.Linear)
    return tuple(reversed(shape)) if linear else tuple(shape)


def _ordered(model: nn.Module, ours: str, tensor: Tensor) -> Tensor:
    """Let the nearest module around `ours` that has another order of rows put them right."""
    names = ours.split(".")
    for cut in reversed(range(len(names))):
        module = model.get_submodule(".".join(names[:cut]))
        if isinstance(module, OtherOrder):
            return module.from_tensorflow(".".join(names[cut:]), tensor)
    return tensor
