"""A class is found by what people type, or they are told what is there."""

import pytest

from reeltag.cli.class_names import class_named
from reeltag.core.errors import ConfigError

NAMES = ("Guitar", "Car", "car", "Bass guitar", "7", "Game")


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("Guitar", 0), ("gUITAR", 0), ("Car", 1), ("car", 2), ("bass guitar", 3), ("5", 5), ("7", 4)],
)
def test_a_name_in_whatever_case_or_a_number_will_do(wanted: str, number: int) -> None:
    assert class_named(wanted, NAMES) == number


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ("CAR", r"2 classes are called 'CAR': 1, 2"),
        ("gitar", r"no class is called 'gitar'\n  Did you mean Guitar"),
        ("9", r"--class: must be in 0 to 5, got 9"),
        ("xyz", r"no class is called .xyz.\n  There are 6 classes"),
        ("bass", r"Did you mean Bass guitar"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_close(wanted: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        class_named(wanted, NAMES)
