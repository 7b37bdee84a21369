"""Problems: they travel as integers and as names, and the document tells of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltag.data.records.problems import SKIPPING, Problem, from_bits, from_text, to_bits, to_text
from tests.conftest import PROJECT


@given(st.sets(st.sampled_from(Problem)))
def test_set_of_problems_comes_back_from_bits_and_from_text(problems: set[Problem]) -> None:
    bits = to_bits(problems)
    assert set(from_bits(bits)) == problems
    assert from_text(to_text(bits)) == bits
    assert bool(bits & SKIPPING) == any(problem.skips for problem in problems)


def test_sound_record_has_no_text() -> None:
    assert to_text(0) is None and from_text(None) == 0


def test_names_can_be_distinguished_when_joined() -> None:
    assert len({problem.text for problem in Problem}) == len(Problem)
    assert not any(";" in problem.text for problem in Problem)


@pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
def test_document_has_what_becomes_of_it(problem: Problem) -> None:
    severity = "skipped" if problem.skips else "noted"
    row = f"| {problem.text} | {severity} | {problem.outcome} |"
    assert row in (PROJECT / "docs" / "reference" / "records.md").read_text().splitlines()
