"""Headers of solutions, and solutions found by name."""

import types

import pytest

from reeltag.core.errors import ConfigError
from reeltag.papers.common.header import about, solution_named
from tests.papers import made2019


def test_a_header_is_read_with_lines_that_go_on() -> None:
    told = about(made2019)
    assert told.name == "made2019" and told.title.startswith("Made 2019: sums")
    assert told.needs == "frames, at least four of them"
    assert told.departs == "nothing is learned"


def test_a_missing_line_is_named() -> None:
    module = types.ModuleType("reeltag.papers.x.program", "X.\n\nPaper: p\nNeeds: n\nCost: c")
    with pytest.raises(ValueError, match=r"papers.x.program lacks Run, Try, Reaches, Departs"):
        about(module)


def test_a_wrong_name_is_told_close_ones() -> None:
    assert solution_named("made2019", [made2019]) is made2019
    with pytest.raises(ConfigError, match="Did you mean made2019?"):
        solution_named("made2018", [made2019])
    with pytest.raises(ConfigError, match="There are: made2019"):
        solution_named("zzz", [made2019])
