"""Bounds of a dataclass's fields, declared once next to them and checked when it is built.

    @dataclass(frozen=True, kw_only=True)
    class Optimisation(CheckedFields):
        decay: Annotated[float, Gt(0), Le(1)] = 0.8

The bounds are those of `annotated_types`, and `Rule` for what they cannot say; they may be inside
of a tuple or next to None. A bounded number must be finite; integers and Literals are checked as
well. What fields must be to each other is checked by the dataclass's own `check`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from reeltag.core.errors import ConfigError

Positive = Annotated[int, Ge(1)]
NotNegative = Annotated[int, Ge(0)]
Amount = Annotated[float, Ge(0)]
Rate = Annotated[float, Gt(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Part = Annotated[float, Gt(0), Le(1)]

_ANNOTATIONS: dict[type, dict[str, Any]] = {}  # of each class, read once
_NUMBERS: dict[object, tuple[type, str]] = {int: (Integral, "integer"), float: (Real, "number")}


@dataclass(frozen=True)
class Rule:
    """A bound in words of its own: what holds, and the words for it ("0, or >= 1 and finite")."""

    holds: Callable[[Any], bool]
    words: str


class CheckedFields:
    """A dataclass whose fields are checked when it is made, and then by its own `check`.

    Attributes:
        prefix: what its flags begin with: "model" for --model.hidden.
    """

    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Check every field; raise ConfigError."""
        for name, hint in _annotations(self).items():
            self.check_field(name, fits(getattr(self, name), hint), hint)
        self.check()

    def check(self) -> None:
        """Check what fields must be to each other; raise ConfigError."""

    def check_field(self, name: str, holds: bool, words: object) -> None:
        """Raise ConfigError unless something holds of a field.

        Args:
            name: of the field.
            holds: whether its value is allowed.
            words: what is allowed, in words or as an annotation.
        """
        if not holds:
            path = f"{self.prefix}.{name}".removeprefix(".")
            rule = words if isinstance(words, str) else allowed(words)
            raise ConfigError(
                f"{path} is {getattr(self, name)!r}; allowed: {rule}",
                hint=f"Change --{path.replace('_', '-')}, or the field in config.json.",
            )


def fits(value: object, kind: Any) -> bool:  # noqa: ANN401  (an annotation)
    """Return whether a value is what an annotation allows; kinds that are not known allow all.

    >>> fits((2, 0), tuple[Annotated[int, Ge(1)], ...]), fits(None, Annotated[int, Ge(1)] | None)
    (False, True)
    """
    origin, options = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = list(_bounds(kind))
        finite = not (bounds and isinstance(value, float)) or math.isfinite(value)
        return finite and fits(value, options[0]) and all(_meets(value, b) for b in bounds)
    if origin in (Union, UnionType):
        return any(fits(value, option) for option in options)
    if origin is Literal:
        return value in options
    if origin is tuple:
        if not isinstance(value, Sequence):
            return False
        if len(options) == 2 and options[1] is Ellipsis:
            return all(fits(item, options[0]) for item in value)
        return len(value) == len(options) and all(map(fits, value, options))
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind][0]) and not isinstance(value, bool)
    return value is None if kind in (None, NoneType) else True


def allowed(kind: Any) -> str:  # noqa: ANN401  (an annotation)
    """Return in words what an annotation allows.

    >>> allowed(Annotated[int, Ge(1)]), allowed(Annotated[float, Ge(0), Lt(1)] | None)
    ('an integer >= 1', 'a number in [0, 1), or None')
    >>> allowed(Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)])
    'one or more, each an integer >= 1'
    """
    origin, options = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = list(_bounds(kind))
        texts = [bound.words for bound in bounds if isinstance(bound, Rule)]
        return texts[0] if texts else _in_words(options[0], bounds)
    if origin in (Union, UnionType):
        return ", or ".join("None" if of is NoneType else allowed(of) for of in options)
    if origin is Literal:
        return " or ".join(map(repr, options))
    return _in_words(kind, [])


def _annotations(config: object) -> dict[str, Any]:
    kind = type(config)
    if kind not in _ANNOTATIONS:
        hints = get_type_hints(kind, include_extras=True).items()
        _ANNOTATIONS[kind] = {name: of for name, of in hints if get_origin(of) is not ClassVar}
    return _ANNOTATIONS[kind]


def _bounds(kind: Any) -> Iterator[Any]:  # noqa: ANN401
    for bound in kind.__metadata__:
        if getattr(bound, "__is_annotated_types_grouped_metadata__", False):
            yield from bound  # isinstance of GroupedMetadata, a protocol, is slow
        else:
            yield bound


def _meets(value: Any, bound: object) -> bool:  # noqa: ANN401
    match bound:
        case Ge(least):
            return bool(value >= least)
        case Gt(below):
            return bool(value > below)
        case Le(most):
            return bool(value <= most)
        case Lt(above):
            return bool(value < above)
        case MultipleOf(of):
            return bool(value % of == 0)
        case MinLen(least):
            return len(value) >= least
        case MaxLen(most):
            return len(value) <= most
        case Rule(holds):
            return holds(value)
    return True  # not a bound


def _in_words(kind: Any, bounds: Sequence[Any]) -> str:  # noqa: ANN401
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        if others != [Ellipsis]:
            return ", ".join(map(allowed, get_args(kind)))
        some = "one or more" if any(isinstance(of, MinLen) for of in bounds) else "values"
        return f"{some}, each {allowed(first)}"
    if kind not in _NUMBERS:
        return getattr(kind, "__name__", str(kind))
    noun = _NUMBERS[kind][1]
    for of in bounds:
        if isinstance(of, MultipleOf):
            noun = (
                f"even {noun}" if of.multiple_of == 2 else f"{noun} divisible by {of.multiple_of}"
            )
    low = [(f"[{of.ge:g}", f">= {of.ge:g}") for of in bounds if type(of) is Ge]
    low += [(f"({of.gt:g}", f"> {of.gt:g}") for of in bounds if type(of) is Gt]
    high = [(f"{of.le:g}]", f"<= {of.le:g}") for of in bounds if type(of) is Le]
    high += [(f"{of.lt:g})", f"< {of.lt:g}") for of in bounds if type(of) is Lt]
    if low and high:
        return f"{_a(noun)} in {low[0][0]}, {high[0][0]}"
    finite = "finite " if bounds and kind is float else ""
    return " ".join([_a(finite + noun), *[words for _, words in (*low, *high)]])


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
