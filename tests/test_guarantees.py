"""docs/reference/guarantees.md names tests that exist: a promise loses its test with its line."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
MEASURED = re.compile(r"<!-- table: .*?<!-- end -->", re.DOTALL)


def named_tests() -> list[tuple[str, str]]:
    """Return the file and the name, or "", of each test that the page names."""
    return NAMED.findall((PROJECT / "docs" / "reference" / "guarantees.md").read_text())


def test_every_promise_names_a_test() -> None:
    page = MEASURED.sub("", (PROJECT / "docs" / "reference" / "guarantees.md").read_text())
    rows = [line for line in page.splitlines() if line.startswith("|")]
    promises = [row for row in rows if not row.startswith(("| what", "|---"))]
    assert len(promises) > 20
    assert [row for row in promises if not NAMED.search(row)] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(named_tests())))
def test_named_test_is_there(file: str, name: str) -> None:
    text = (PROJECT / file).read_text()
    assert f"def {name}(" in text if name else "def test_" in text
