"""Training targets: items selected, joined, added to and filtered, each against plain Python."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.labels.targets import Targets

Listed = dict[int, tuple[float, float]]  # class -> target, weight


def targets_of(items: list[Listed], **more: Any) -> Targets:
    """Return the targets of items, each a dict of class -> (value, weight)."""
    pairs = [pair for item in items for pair in item.values()]
    return Targets(
        np.cumsum([0, *map(len, items)]),
        np.array([c for item in items for c in item], np.int32),
        np.array([value for value, _ in pairs], np.float32),
        np.array([weight for _, weight in pairs], np.float32),
        **more,
    )


def listed(targets: Targets) -> list[Listed]:
    """Return the entries of each item."""
    values, weights = targets.entry_values(), targets.entry_weights()
    return [
        {
            int(targets.classes[at]): (float(values[at]), float(weights[at]))
            for at in range(targets.indptr[item], targets.indptr[item + 1])
        }
        for item in range(len(targets))
    ]


ITEMS: list[Listed] = [
    {3: (1.0, 1.0), 1: (0.0, 2.0)},
    {},
    {4: (0.5, 0.25)},
    {0: (1.0, 1.0), 2: (0.0, 1.0), 5: (0.75, 0.0)},
]
HARD = Targets(np.array([0, 2, 2, 3]), np.array([4, 1, 0], np.int32))


def index(*items: int) -> NDArray[np.int64]:
    return np.array(items, np.int64)


def test_targets_are_taken_in_any_order_with_their_weights() -> None:
    unlisted = np.array([0.0, 0.1, 0.2, 0.3], np.float32)
    taken = targets_of(ITEMS, unlisted_weight=unlisted).take(index(3, 0, 1, 3))
    assert listed(taken) == [ITEMS[3], ITEMS[0], ITEMS[1], ITEMS[3]]
    assert taken.unlisted_weights().tolist() == unlisted[[3, 0, 1, 3]].tolist()
    assert len(targets_of(ITEMS).take(index())) == 0


def test_hard_targets_stay_without_values_and_weights() -> None:
    taken = HARD.take(index(2, 0))
    assert taken.values is None and taken.weights is None and taken.unlisted_weight == 1.0
    assert listed(taken) == [{0: (1.0, 1.0)}, {4: (1.0, 1.0), 1: (1.0, 1.0)}]
    values, weights = HARD.at(index(0, 2))
    assert values.tolist() == weights.tolist() == [1, 1]


def test_target_entries_have_a_place_among_the_items_and_in_the_lists() -> None:
    targets = targets_of(ITEMS)
    row, entry = targets.entries_of(index(3, 1, 0))
    assert row.tolist() == [0, 0, 0, 2, 2]
    assert entry.tolist() == [3, 4, 5, 0, 1]
    values, weights = targets.at(entry)
    assert values.tolist() == [1, 0, 0.75, 1, 0] and weights.tolist() == [1, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("change", "weighted"),
    [
        ({}, False),
        ({"unlisted_weight": 0.0}, True),
        ({"unlisted_weight": np.ones(3, np.float32)}, False),
        ({"unlisted_weight": np.array([1, 1, 0.5], np.float32)}, True),
        ({"weights": np.ones(3, np.float32)}, True),
        ({"values": np.ones(3, np.float32)}, False),
        ({"class_mask": np.ones(5, bool)}, True),
    ],
)
def test_targets_are_weighted_where_a_weight_is_not_one(
    change: dict[str, Any], weighted: bool
) -> None:
    assert replace(HARD, **change).weighted is weighted


def test_concatenated_targets_follow_each_other() -> None:
    parts = [
        targets_of(ITEMS[:2], unlisted_weight=0.0),
        HARD,
        targets_of(ITEMS[2:], unlisted_weight=0.5),
    ]
    joined = Targets.concatenate(parts)
    hard = [{4: (1.0, 1.0), 1: (1.0, 1.0)}, {}, {0: (1.0, 1.0)}]
    assert listed(joined) == ITEMS[:2] + hard + ITEMS[2:]
    assert joined.unlisted_weights().tolist() == [0, 0, 1, 1, 1, 0.5, 0.5]


def test_concatenation_of_hard_targets_stays_hard() -> None:
    joined = Targets.concatenate([HARD, HARD])
    assert joined.values is None and joined.weights is None and joined.unlisted_weight == 1.0
    assert not joined.weighted and listed(joined) == listed(HARD) * 2
    masked = Targets.concatenate([targets_of(ITEMS, unlisted_weight=0.0)] * 2)
    assert masked.unlisted_weight == 0.0
    per_item = replace(HARD, unlisted_weight=np.zeros(3, np.float32))
    both = Targets.concatenate([per_item, HARD])
    assert both.unlisted_weights().tolist() == [0, 0, 0, 1, 1, 1]


def test_concatenation_of_other_class_masks_fails() -> None:
    some = replace(HARD, class_mask=np.arange(5) < 2)
    same = replace(HARD, class_mask=np.arange(5) < 2)
    assert Targets.concatenate([some, same]).class_mask is some.class_mask
    for other in (HARD, replace(HARD, class_mask=np.arange(5) < 3)):
        with pytest.raises(ValueError, match="different class masks"):
            Targets.concatenate([some, other])


def test_added_entries_come_after_those_of_their_item() -> None:
    more = np.array([0.5, 0.25, 1.0], np.float32)
    targets = targets_of(ITEMS, unlisted_weight=0.0)
    extended = targets.add_entries(index(3, 1, 3), index(4, 0, 1), more, 2 * more)
    expected = [dict(item) for item in ITEMS]
    expected[3] |= {4: (0.5, 1.0), 1: (1.0, 2.0)}
    expected[1] |= {0: (0.25, 0.5)}
    assert listed(extended) == expected and extended.unlisted_weight == 0.0
    assert extended.indptr.tolist() == [0, 2, 3, 4, 9]


def test_added_hard_entries_keep_targets_hard() -> None:
    extended = HARD.add_entries(index(1), index(2))
    assert extended.values is None and extended.weights is None and not extended.weighted
    assert listed(extended)[1] == {2: (1.0, 1.0)}
    soft = HARD.add_entries(index(1), index(2), values=np.array([0.5], np.float32))
    assert soft.entry_values().tolist() == [1, 1, 0.5, 1] and soft.weights is None


def test_entries_that_are_not_kept_are_unlisted() -> None:
    targets = targets_of(ITEMS)
    remaining = targets.keep(targets.entry_weights() == 1)
    assert listed(remaining) == [
        {c: pair for c, pair in item.items() if pair[1] == 1} for item in ITEMS
    ]
    assert len(HARD.keep(np.zeros(3, bool)).classes) == 0
