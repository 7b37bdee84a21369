"""Splits: by a hash of the group, near to the parts, none empty in a small archive."""

from collections import Counter

import pytest

from reeltag.library.extraction.splits import filled, split_of


def test_groups_are_divided_by_the_parts_whatever_else_there_is() -> None:
    groups = [f"group {number}" for number in range(4000)]
    counts = Counter(split_of(group, (70, 20, 10)) for group in groups)
    assert counts["train"] / 4000 == pytest.approx(0.7, abs=0.03)
    assert counts["validate"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert split_of(groups[7], (7, 2, 1)) == split_of(groups[7], (70, 20, 10))
    assert Counter(split_of(group, (1, 0, 1)) for group in groups).keys() == {"train", "test"}


def test_empty_splits_of_a_small_archive_get_a_group_each() -> None:
    groups = dict.fromkeys("abcd", "train")
    found = filled(groups, (80, 10, 10))
    assert Counter(found.values()) == {"train": 2, "validate": 1, "test": 1}
    assert filled(dict(reversed(groups.items())), (80, 10, 10)) == found
    assert filled(groups, (90, 0, 10)).get("validate") is None
    assert Counter(filled(groups, (90, 0, 10)).values()) == {"train": 3, "test": 1}
    assert filled({"a": "train"}, (80, 10, 10)) == {"a": "train"}
    assert filled({"a": "test", "b": "train", "c": "train"}, (80, 10, 10))["a"] == "test"
