"""The loop over the frames of a recurrent layer as one operator of an exported graph."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from reeltag.core.errors import ConfigError

Step = Callable[..., list[Tensor]]


def scan(
    given_TBG: Tensor, real_TB1: Tensor, state: list[Tensor], weights: list[Tensor], step: Step
) -> list[Tensor]:
    """Return what `layers.recurrent.loop` returns.

    The operator is called without its public face, which compiles the body, remembers that for the
    next layer, and then fixes the batch size.
    """
    out: list[Tensor] = _operator()(step, state, [given_TBG, real_TB1], tuple(weights))
    return out


def has_scan(given_TBG: Tensor, *_: object) -> bool:
    """Return whether torch has the operator, a prototype that is private to torch.

    Args:
        given_TBG: input of the recurrent net, whose T an export may leave free.

    Raises:
        ConfigError: it has not, and the number of frames is free, for which a loop does not do.
    """
    found = _operator() is not None
    if not found and not isinstance(given_TBG.shape[0], int):
        raise ConfigError(
            f"torch {torch.__version__} has no scan operator, without which a recurrent net is "
            "exported for one number of frames only",
            hint="Export with a fixed length, or install torch 2.13.",
        )
    return found


def _operator() -> Any:  # noqa: ANN401  (an operator without types)
    try:
        return import_module("torch._higher_order_ops.scan").scan_op
    except (ImportError, AttributeError):
        return None
