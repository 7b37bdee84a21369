"""Checks that every configuration shares; the errors name field, value and what is allowed."""

from collections.abc import Sequence

from reeltag.core.errors import ConfigError


def require(ok: bool, field: str, value: object, allowed: str) -> None:
    """Raise ConfigError unless `ok`: what the field is, and what is allowed."""
    if not ok:
        raise ConfigError(
            f"{field} is {value!r}; allowed: {allowed}",
            where="model configuration",
            hint=f"Change --model.{field.replace('_', '-')} or the field in config.json.",
        )


def require_positive(field: str, value: int) -> None:
    """Raise ConfigError unless `value` is at least 1."""
    require(value >= 1, field, value, "an integer >= 1")


def require_input(num_classes: int, dims: Sequence[int]) -> None:
    """Raise ConfigError unless there are classes, and streams of positive width."""
    require_positive("num_classes", num_classes)
    ok = len(dims) > 0 and all(dim >= 1 for dim in dims)
    require(ok, "dims", tuple(dims), "one width >= 1 for each stream")


def require_fraction(field: str, value: float) -> None:
    """Raise ConfigError unless `value` is in [0, 1)."""
    require(0 <= value < 1, field, value, "a number in [0, 1)")


def require_penalty(field: str, value: float) -> None:
    """Raise ConfigError unless `value` is a finite number >= 0."""
    require(0 <= value < float("inf"), field, value, "a finite number >= 0")
