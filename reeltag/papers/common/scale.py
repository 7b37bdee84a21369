"""Sizes of a program: as published, or small ones for some thousand videos."""

from dataclasses import fields, replace
from typing import Any, Literal, TypeVar

from reeltag.core.console import say

FEW = 100_000  # training videos below which the small sizes are taken
_Sizes = TypeVar("_Sizes", bound=Any)


def is_small(scale: Literal["auto", "published", "small"], num_videos: int) -> bool:
    """Return whether the small sizes are taken; where the amount of data decides, log it.

    Args:
        scale: as given.
        num_videos: to train on.
    """
    if scale != "auto":
        return scale == "small"
    small = num_videos < FEW
    name = "small" if small else "published"
    say(f"{num_videos:,} training videos: {name} sizes (--scale overrides)")
    return small


def with_given(sizes: _Sizes, config: object) -> _Sizes:
    """Return sizes with what a config gives under the same names in their place.

    Args:
        sizes: a dataclass.
        config: whose fields may be None where nothing is given, or lacking.
    """
    given = {field.name: getattr(config, field.name, None) for field in fields(sizes)}
    kept: _Sizes = replace(sizes, **{name: of for name, of in given.items() if of is not None})
    return kept
