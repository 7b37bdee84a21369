"""Entry points of installed packages: by name, each name once."""

from importlib.metadata import EntryPoint

import pytest

from reeltag.core import discovery
from reeltag.core.discovery import EntryPointGroup
from reeltag.core.errors import ConfigError

GROUP = EntryPointGroup(name="our.things", kind="things", rename_hint="Rename one.")


def announce(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    """Let packages announce (name, import path), in this order."""
    found = {"our.things": [EntryPoint(name, path, "our.things") for name, path in points]}
    monkeypatch.setattr(discovery, "entry_points", lambda group: found[group])


def test_entry_points_are_sorted_by_name_and_equal_ones_are_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announce(monkeypatch, ("b", "x:B"), ("a", "x:A"), ("b", "x:B"))
    found = GROUP.announced({"c": "ours.c"})
    assert [(name, point.value) for name, point in found.items()] == [("a", "x:A"), ("b", "x:B")]


@pytest.mark.parametrize(
    ("points", "rule"),
    [
        ([("c", "x:C")], "the name 'c' is given to two things: x:C and ours.c"),
        ([("a", "y:A"), ("a", "x:A")], "the name 'a' is given to two things: y:A and x:A"),
    ],
)
def test_name_that_is_given_twice_raises(
    monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, str]], rule: str
) -> None:
    announce(monkeypatch, *points)
    with pytest.raises(ConfigError, match=rule) as raised:
        GROUP.announced({"c": "ours.c"})
    assert "Rename one." in str(raised.value)
