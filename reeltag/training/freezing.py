"""Weights that a training leaves as they are."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from reeltag.core.console import say
from reeltag.core.errors import ConfigError


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Keep the parameters that a pattern names as they are.

    A module of which nothing is left to learn works as in service from now on: its norms take and
    keep their running statistics, and it drops nothing.

    Args:
        model: to be trained.
        patterns: as in a shell; * also crosses the dots of names.

    Raises:
        ConfigError: a pattern names no parameter, or nothing is left to learn.
    """
    if not patterns:
        return
    named = dict(model.named_parameters())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise ConfigError(
                f"the model has no parameter {pattern!r}",
                where="frozen",
                hint=f"It has {', '.join(list(named)[:4])}, ...",
            )
    frozen = [name for name in named if any(fnmatchcase(name, of) for of in patterns)]
    if len(frozen) == len(named):
        raise ConfigError("every parameter is frozen: nothing is left to learn", where="frozen")
    for name in frozen:
        named[name].requires_grad_(False)
    for module in model.modules():
        values = list(module.parameters())
        if values and not any(value.requires_grad for value in values):
            module.register_forward_pre_hook(_as_in_service)
    say(f"{len(frozen)} of {len(named)} tensors stay as they are.")


def _as_in_service(module: nn.Module, _: object) -> None:
    module.eval()
