"""What learns in a training, and what it leaves as it is."""

from collections.abc import Sequence

from torch import nn

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.training.config import Recipe
from reeltag.training.naming import named_by
from reeltag.training.optimiser import learning_groups


def choose_what_learns(model: nn.Module, recipe: Recipe) -> None:
    """Freeze what is to stay as it is, and check that what learns at another rate is there.

    Args:
        model: to be trained.
        recipe: names tensors that are frozen, and those with learning rates of their own.

    Raises:
        ConfigError: it names tensors that are not there.
    """
    freeze(model, recipe.frozen)
    learning_groups(model, recipe.optim)


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
    frozen = {name for pattern in patterns for name in named_by(pattern, model, "frozen")}
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
