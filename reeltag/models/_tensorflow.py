"""Weights of the authors' TensorFlow checkpoints, dumped to arrays, into our models by name.

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

STREAMS = ("video_VLAD", "audio_VLAD")
NOT_WEIGHTS = re.compile(r"(^|/)(Adam(_\d+)?|beta\d_power|global_step)$")
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
    """A module whose rows stand in another order than in the authors' checkpoint."""

    def from_tensorflow(self, part: str, tensor: Tensor) -> Tensor:
        """Return `tensor`, of the shape of our `part`, with its rows in our order."""


def load_tensorflow(model: nn.Module, variables: Mapping[str, NDArray[Any]]) -> None:
    """Fill `model` in place from the variables of the authors' checkpoint.

    Names may carry a leading `tower/` and a trailing `:0`, and `.` in place of `/`; the slots of
    the optimiser and the step counter are passed over. Linear weights are transposed.

    Args:
        model: has `tensorflow_names`.
        variables: name -> array, for example an opened .npz.

    Raises:
        ConfigError: `model` does not know TensorFlow names.
        DataError: a variable is missing, is left over, or has the wrong shape; `model` is then
            unchanged.
    """
    if not isinstance(model, FromTensorflow):
        raise ConfigError(f"no TensorFlow names are known for {type(model).__name__}")
    theirs = {_plain(name): variables[name] for name in variables}
    theirs = {name: array for name, array in theirs.items() if not NOT_WEIGHTS.search(name)}
    names, own = parameter_names(model), model.state_dict()
    missing = sorted(set(names.values()) - theirs.keys())
    left_over = sorted(theirs.keys() - set(names.values()))
    if missing or left_over:
        raise DataError(
            f"the variables do not fit {type(model).__name__}: missing {missing or 'none'}, "
            f"left over {left_over or 'none'}",
            hint="Build the model with the sizes and options that it was trained with.",
        )
    loaded = {ours: _turned(model, ours, theirs[name]) for ours, name in names.items()}
    for ours, tensor in loaded.items():
        if tensor.shape != own[ours].shape:
            raise DataError(
                f"variable {names[ours]!r} has shape {tuple(theirs[names[ours]].shape)}; "
                f"{ours} needs {tuple(own[ours].shape)}",
                hint="Build the model with the sizes that it was trained with.",
            )
    ordered = {ours: _ordered(model, ours, tensor) for ours, tensor in loaded.items()}
    model.load_state_dict(ordered, strict=False)  # checked above
    for module in model.modules():
        if isinstance(module, MaskedBatchNorm):
            module.settle()


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


def _plain(name: str) -> str:
    return name.removesuffix(":0").replace(".", "/").removeprefix("tower/")


def in_our_layout(model: nn.Module, ours: str, array: NDArray[Any]) -> Tensor:
    """Return an array of theirs (weight, gradient, ...) in the layout of our tensor `ours`."""
    return _ordered(model, ours, _turned(model, ours, array))


def _turned(model: nn.Module, ours: str, array: NDArray[Any]) -> Tensor:
    """Turn linear weights from (in, out) to (out, in), and drop a leading 1."""
    owner, _, leaf = ours.rpartition(".")
    tensor = torch.from_numpy(np.array(array))
    if leaf == "weight" and isinstance(model.get_submodule(owner), nn.Linear):
        return tensor.T
    if tensor.ndim == 3 and tensor.shape[0] == 1:  # centres, (1, F, K)
        return tensor[0]
    return tensor


def _ordered(model: nn.Module, ours: str, tensor: Tensor) -> Tensor:
    """Let the nearest module around `ours` that has another order of rows put them right."""
    names = ours.split(".")
    for cut in reversed(range(len(names))):
        module = model.get_submodule(".".join(names[:cut]))
        if isinstance(module, OtherOrder):
            return module.from_tensorflow(".".join(names[cut:]), tensor)
    return tensor
