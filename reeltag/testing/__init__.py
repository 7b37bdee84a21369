"""Checks that every model and every encoder passes, for own ones too.

from reeltag.testing import check_encoder, check_model

check_model("my_net")
check_encoder(MyEncoder())
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from reeltag.encoders import Encoder
from reeltag.models import find_family
from reeltag.testing import encoders, models

__all__ = ["check_encoder", "check_model"]


def check_model(name: str) -> int:
    """Check what every model must do, with the tiny config of a family.

    Shapes, types, padding, batch order, gradients, bf16, saving, torch.export, overfitting.

    Args:
        name: of a family that is registered or installed, or the import path of its config.

    Returns:
        The number of checks, all of which it passes.

    Raises:
        ConfigError: there is no such family.
        AssertionError: it fails a check, which is named.

    Example:
        >>> check_model("logistic") == len(models.CHECKS)
        True
    """
    family = find_family(name)
    return _run(models.CHECKS, lambda check: check(family, torch.Generator().manual_seed(0)))


def check_encoder(encoder: Encoder) -> int:
    """Check what every encoder must do: description, shapes, types, batches, own classes.

    Args:
        encoder: of pictures, sound or texts.

    Returns:
        The number of checks, all of which it passes.

    Raises:
        AssertionError: it fails a check, which is named.
    """
    return _run(encoders.CHECKS, lambda check: check(encoder))


def _run(checks: Sequence[Any], call: Callable[[Any], None]) -> int:
    """Call the checks in turn; return how many there are."""
    for check in checks:
        try:
            call(check)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__.replace('_', ' ')}: not so\n{error}") from error
    return len(checks)
