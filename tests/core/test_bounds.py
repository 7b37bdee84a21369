"""Bounds of fields: which values fit, how they are told, and when they are checked."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen, MultipleOf

from reeltag.core.bounds import CheckedFields, Rule, allowed, fits
from reeltag.core.errors import ConfigError

COUNT = Annotated[int, Ge(1)]
FRACTION = Annotated[float, Ge(0), Lt(1)]
COUNTS = Annotated[tuple[COUNT, ...], MinLen(1)]
FOCUS = Annotated[float, Rule(lambda x: x == 0 or x >= 1, "0, or >= 1 and finite")]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "words"),
    [
        (COUNT, [1, 10**9], [0, -1, 1.5, 1.0, True, None, "1"], "an integer >= 1"),
        (FRACTION, [0, 0.0, 0.99], [1, -0.1, math.nan, True], "a number in [0, 1)"),
        (Annotated[float, Gt(0)], [1e-9], [0.0, math.inf, math.nan], "a finite number > 0"),
        (Annotated[int, Ge(2), MultipleOf(2)], [2, 4], [0, 3], "an even integer >= 2"),
        (Annotated[int, Interval(ge=1, le=256)], [1, 256], [0, 257], "an integer in [1, 256]"),
        (Annotated[float, Le(3)] | None, [None, 3], [4], "a finite number <= 3, or None"),
        (FOCUS, [0, 1.0], [0.5, math.inf], "0, or >= 1 and finite"),
        (COUNTS, [(1,), [2, 3]], [(), (1, 0), 1], "one or more, each an integer >= 1"),
        (tuple[FRACTION, ...], [(), (0.5,)], [(1.5,)], "values, each a number in [0, 1)"),
        (
            tuple[COUNT, FRACTION],
            [(1, 0.5)],
            [(1,), (0, 0.5)],
            "an integer >= 1, a number in [0, 1)",
        ),
        (Literal["a", 2], ["a", 2], ["b", 3], "'a' or 2"),
        (float, [math.inf, 1], ["1"], "a number"),
        (str, ["", 3], [], "str"),
    ],
)
def test_bounds_are_met_and_formatted(
    kind: Any, good: list[Any], bad: list[Any], words: str
) -> None:
    assert all(fits(value, kind) for value in good)
    assert not any(fits(value, kind) for value in bad)
    assert allowed(kind) == words


@dataclass(frozen=True, kw_only=True)
class Sizes(CheckedFields):
    prefix: ClassVar[str] = "model"
    hidden_units: COUNT = 8
    groups: COUNT = 2

    def check(self) -> None:
        divides = self.hidden_units % self.groups == 0
        self.check_field("groups", divides, "a divisor of hidden_units")


def test_fields_are_checked_before_what_they_are_to_each_other() -> None:
    with pytest.raises(ConfigError, match=r"model.groups is 0; allowed: an integer >= 1\n"):
        Sizes(groups=0)  # which divides nothing
    with pytest.raises(ConfigError) as error:
        replace(Sizes(), groups=3)
    assert str(error.value) == (
        "model.groups is 3; allowed: a divisor of hidden_units\n"
        "  Change --model.groups, or the field in config.json."
    )
    with pytest.raises(ConfigError, match="Change --model.hidden-units,"):
        Sizes(hidden_units=-1)


def test_inherited_fields_are_checked() -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(Sizes):
        rate: FRACTION = 0.5

    with pytest.raises(ConfigError, match="model.rate is 1.0"):
        More(rate=1.0)
    with pytest.raises(ConfigError, match="model.groups is 3"):
        More(groups=3)
