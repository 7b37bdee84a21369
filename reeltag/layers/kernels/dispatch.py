"""The one choice between a plain layer and its faster twins: by device, mode and arguments.

    @faster(cpu=kernels.soft_assign, cuda=kernels.soft_assign)
    def soft_assign(scores_BTC, ...): ...

The decorated function, in torch's own operations, is the definition. A twin has the same arguments
and results, and takes less time or memory. It is found under the type of the first argument's
device, under "compile" within torch.compile, under "export" within torch.export; where there is
none, the plain function is called. The environment variable REELTAG_KERNELS, or `kernels_of`,
takes the twins of one place everywhere ("plain": none), so that both can be compared.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor

from reeltag.core.errors import ConfigError

PLACES = ("plain", "cpu", "cuda", "compile", "export")
P = ParamSpec("P")
R = TypeVar("R", covariant=True)
_forced: list[str] = list(filter(None, [os.environ.get("REELTAG_KERNELS", "")]))


class Dispatched(Generic[P, R]):
    """A plain function and its twins, called as one; made by `faster`.

    Args:
        plain: the definition.
        twins: place -> faster function.
        when: returns whether the twins can be used for these arguments; None: always.
        autocast: compute in the mode of the caller; else autocast is off.
    """

    def __init__(
        self,
        plain: Callable[P, R],
        twins: dict[str, Callable[..., R]],
        when: Callable[..., bool] | None,
        autocast: bool,
    ) -> None:
        self.plain, self.twins, self.when, self.autocast = plain, twins, when, autocast
        update_wrapper(self, plain)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the twin that is right here, else the plain function."""
        assert isinstance(args[0], Tensor)
        device = args[0].device.type
        function = self.twins.get(place_of(device), self.plain)
        if function is not self.plain and self.when and not self.when(*args, **kwargs):
            function = self.plain
        if self.autocast or not torch.is_autocast_enabled(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)


def faster(
    *,
    when: Callable[..., bool] | None = None,
    autocast: bool = False,
    **twins: Callable[..., Any],
) -> Callable[[Callable[P, R]], Dispatched[P, R]]:
    """Return a decorator for a plain function that has faster twins.

    Args:
        when: given the arguments, whether a twin may be taken; None: always.
        autocast: compute in the caller's autocast mode; else it is off, and dtypes are those of the
            arguments.
        **twins: place -> function of the same signature.
    """
    assert set(twins) <= set(PLACES[1:])
    return lambda plain: Dispatched(plain, twins, when, autocast)


def place_of(device: str) -> str:
    """Return where twins are looked up for a tensor on a type of device.

    Args:
        device: "cpu", "cuda", ...

    Raises:
        ConfigError: REELTAG_KERNELS is no place.
    """
    if _forced:
        if _forced[-1] not in PLACES:
            raise ConfigError(
                f"must be one of {', '.join(PLACES)}, got {_forced[-1]!r}",
                where="REELTAG_KERNELS",
                hint="Unset it: each device then takes its own kernels.",
            )
        return _forced[-1]
    if torch.compiler.is_exporting():
        return "export"
    return "compile" if torch.compiler.is_compiling() else device


@contextmanager
def kernels_of(place: str) -> Iterator[None]:
    """Take the twins of `place` on every device; "plain" takes none.

    Args:
        place: one of `PLACES`.

    Example:
        >>> with kernels_of("plain"):
        ...     place_of("cpu")
        'plain'
    """
    _forced.append(place)
    try:
        yield
    finally:
        _forced.pop()


class Context(Protocol):
    """What autograd hands from a kernel's forward pass to its backward pass."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]
    rest: Any  # what is no tensor

    def save_for_backward(self, *tensors: Tensor) -> None: ...
    def mark_non_differentiable(self, *tensors: Tensor) -> None: ...
    def set_materialize_grads(self, value: bool) -> None: ...
