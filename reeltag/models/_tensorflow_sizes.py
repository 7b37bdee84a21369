"""Sizes of a model, read from the shapes of the arrays in the authors' checkpoint.

A Config that can read them has `tensorflow_sizes`. What leaves no trace in a shape, such as an
activation, stays as it is configured.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from reeltag.core.errors import ConfigError
from reeltag.models._config import ModelConfig
from reeltag.models._tensorflow import Shape

C = TypeVar("C", bound=ModelConfig)
FROM_ARRAYS = ("dims", "num_classes")  # always
_HINT = "Leave it out: it is read from the arrays. Or take the checkpoint that it is for."
WIDTH = "width"  # of all streams together, where the arrays do not show where one ends


class Shapes:
    """Shapes of the arrays, by the authors' names."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = dict(shapes)

    def __contains__(self, name: str) -> bool:
        """Return whether there is such an array."""
        return name in self._shapes

    def size(self, name: str, axis: int = -1) -> int:
        """Return the length of an axis of an array; 0 where there is none."""
        shape = self._shapes.get(name, ())
        return shape[axis] if -len(shape) <= axis < len(shape) else 0

    def count(self, pattern: str) -> int:
        """Return how many arrays there are of a numbered name, such as "cell_{}/bias"."""
        number = 0
        while pattern.format(number) in self:
            number += 1
        return number


@runtime_checkable
class SizedByTensorflow(Protocol):
    """A Config that knows which shapes of the authors' arrays show its sizes."""

    def tensorflow_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """Return fields by name, and perhaps `WIDTH`; 0 or an empty tuple where none is shown."""


def sized(
    config: C, shapes: Shapes, dims: tuple[int, ...] = (), *, defaults_may_differ: bool = False
) -> C:
    """Return a Config with the sizes that the arrays show.

    Args:
        config: its fields count where the arrays show nothing.
        shapes: of all arrays.
        dims: width of each stream; (): those that the arrays show. Where they show the sum
            alone, it is that of `config`, or that of one stream.
        defaults_may_differ: a field at its default is replaced by what the arrays show.

    Raises:
        ConfigError: another field, or `dims`, is not what the arrays show, naming both; or the
            sizes that they show cannot be.
    """
    shown: dict[str, Any] = {}
    if isinstance(config, SizedByTensorflow):
        shown = config.tensorflow_sizes(shapes)
    width = shown.pop(WIDTH, 0)
    shown = {name: value for name, value in shown.items() if value or isinstance(value, bool)}
    if width:
        shown["dims"] = _split(width, dims or config.dims)
    if dims and shown.setdefault("dims", dims) != dims:
        raise ConfigError(f"dims is {dims}; the arrays have {shown['dims']}", hint=_HINT)
    for field in dataclasses.fields(config):
        own, value = getattr(config, field.name), shown.get(field.name, getattr(config, field.name))
        free = field.name in FROM_ARRAYS or (defaults_may_differ and own == field.default)
        if own != value and not free:
            raise ConfigError(f"{field.name} is {own}; the arrays have {value}", hint=_HINT)
    return dataclasses.replace(config, **shown)


def _split(width: int, dims: tuple[int, ...]) -> tuple[int, ...]:
    """Return the widths of streams if their sum is right, else that of one stream."""
    return dims if sum(dims) == width else (width,)


def mixture_sizes(shapes: Shapes, scope: str = "") -> dict[str, Any]:
    """Return what a mixture of experts shows: C (M + 1) gates and C M experts."""
    low_rank = f"{scope}gates2/weights" in shapes
    gates = shapes.size(f"{scope}{'gates2' if low_rank else 'gates'}/weights")
    experts = shapes.size(f"{scope}experts/biases")
    classes = max(gates - experts, 0)
    return {"num_classes": classes, "num_experts": ratio(experts, classes)}


def gated_mixture_sizes(shapes: Shapes) -> dict[str, Any]:
    """Return what a mixture with a gate behind it shows, WILLOW's."""
    sizes = mixture_sizes(shapes) | {"gate_rank": shapes.size("gates1/weights")}
    rows, inputs = shapes.size("gating_prob_weights", 0), shapes.size("experts/weights", 0)
    if not rows:
        return sizes | {"probability_gate": "none"}
    if inputs != sizes["num_classes"]:  # else both look the same
        sizes["probability_gate"] = "input" if rows == inputs else "probabilities"
    return sizes


def ratio(whole: int, part: int) -> int:
    """Return whole / part; 0 where that is no whole number."""
    return whole // part if part and whole % part == 0 else 0
