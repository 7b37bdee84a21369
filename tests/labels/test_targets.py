"""Targets: lists of items taken, joined, added to and taken from, each against plain Python."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.labels.targets import Targets, concatenated

Listed = dict[int, tuple[float, float]]  # class -> target, weight


def targets_of(items: list[Listed], **more: object) -> Targets:
    """Return the targets of items, each a dict of class -> (value, weight)."""
    pairs = [pair for item in items for pair in item.values()]
    return Targets(
        bounds=np.cumsum([0, *map(len, items)]),
        classes=np.array([c for item in items for c in item], np.int32),
        values=np.array([value for value, _ in pairs], np.float32),
        weights=np.array([weight for _, weight in pairs], np.float32),
        **more,  # type: ignore[arg-type]
    )


def listed(targets: Targets) -> list[Listed]:
    """Return what each item lists, entry by entry."""
    values, weights = targets.given_values(), targets.given_weights()
    return [
        {
            int(targets.classes[at]): (float(values[at]), float(weights[at]))
            for at in range(targets.bounds[item], targets.bounds[item + 1])
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


def test_items_are_taken_in_the_order_asked_for_and_as_often() -> None:
    rest = np.array([0.0, 0.1, 0.2, 0.3], np.float32)
    taken = targets_of(ITEMS, rest=rest).taken(index(3, 0, 1, 3))
    assert listed(taken) == [ITEMS[3], ITEMS[0], ITEMS[1], ITEMS[3]]
    assert taken.given_rest().tolist() == rest[[3, 0, 1, 3]].tolist()
    assert len(targets_of(ITEMS).taken(index())) == 0


def test_what_is_not_given_is_one_and_stays_not_given() -> None:
    taken = HARD.taken(index(2, 0))
    assert taken.values is None and taken.weights is None and taken.rest == 1.0
    assert listed(taken) == [{0: (1.0, 1.0)}, {4: (1.0, 1.0), 1: (1.0, 1.0)}]
    values, weights = HARD.at(index(0, 2))
    assert values.tolist() == weights.tolist() == [1, 1]


def test_entries_say_the_place_among_the_items_and_in_the_lists() -> None:
    targets = targets_of(ITEMS)
    row, entry = targets.entries(index(3, 1, 0))
    assert row.tolist() == [0, 0, 0, 2, 2]
    assert entry.tolist() == [3, 4, 5, 0, 1]
    assert targets.item().tolist() == [0, 0, 2, 3, 3, 3]
    values, weights = targets.at(entry)
    assert values.tolist() == [1, 0, 0.75, 1, 0] and weights.tolist() == [1, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("change", "weighted"),
    [
        ({}, False),
        ({"rest": 0.0}, True),
        ({"rest": np.ones(3, np.float32)}, False),
        ({"rest": np.array([1, 1, 0.5], np.float32)}, True),
        ({"weights": np.ones(3, np.float32)}, True),
        ({"values": np.ones(3, np.float32)}, False),
        ({"counted": np.ones(5, bool)}, True),
    ],
)
def test_weights_are_needed_where_something_counts_other_than_one(
    change: dict[str, object], weighted: bool
) -> None:
    assert replace(HARD, **change).weighted is weighted  # type: ignore[arg-type]


def test_parts_are_joined_item_by_item() -> None:
    parts = [targets_of(ITEMS[:2], rest=0.0), HARD, targets_of(ITEMS[2:], rest=0.5)]
    joined = concatenated(parts)
    hard = [{4: (1.0, 1.0), 1: (1.0, 1.0)}, {}, {0: (1.0, 1.0)}]
    assert listed(joined) == ITEMS[:2] + hard + ITEMS[2:]
    assert joined.given_rest().tolist() == [0, 0, 1, 1, 1, 0.5, 0.5]


def test_joining_what_is_alike_adds_nothing() -> None:
    joined = concatenated([HARD, HARD])
    assert joined.values is None and joined.weights is None and joined.rest == 1.0
    assert not joined.weighted and listed(joined) == listed(HARD) * 2
    masked = concatenated([targets_of(ITEMS, rest=0.0)] * 2)
    assert masked.rest == 0.0
    per_item = replace(HARD, rest=np.zeros(3, np.float32))
    assert concatenated([per_item, HARD]).given_rest().tolist() == [0, 0, 0, 1, 1, 1]


def test_parts_that_count_other_classes_are_not_joined() -> None:
    some = replace(HARD, counted=np.arange(5) < 2)
    assert concatenated([some, replace(HARD, counted=np.arange(5) < 2)]).counted is some.counted
    for other in (HARD, replace(HARD, counted=np.arange(5) < 3)):
        with pytest.raises(ValueError, match="do not count the same classes"):
            concatenated([some, other])
    with pytest.raises(ValueError, match="nothing to concatenate"):
        concatenated([])


def test_entries_are_added_to_the_items_they_are_for() -> None:
    more = np.array([0.5, 0.25, 1.0], np.float32)
    extended = targets_of(ITEMS, rest=0.0).extended(index(3, 1, 3), index(4, 0, 1), more, 2 * more)
    expected = [dict(item) for item in ITEMS]
    expected[3] |= {4: (0.5, 1.0), 1: (1.0, 2.0)}
    expected[1] |= {0: (0.25, 0.5)}
    assert listed(extended) == expected and extended.rest == 0.0
    assert extended.bounds.tolist() == [0, 2, 3, 4, 9]


def test_hard_labels_added_to_hard_labels_are_hard_labels() -> None:
    extended = HARD.extended(index(1), index(2))
    assert extended.values is None and extended.weights is None and not extended.weighted
    assert listed(extended)[1] == {2: (1.0, 1.0)}
    soft = HARD.extended(index(1), index(2), values=np.array([0.5], np.float32))
    assert soft.given_values().tolist() == [1, 1, 0.5, 1] and soft.weights is None


def test_entries_that_are_not_kept_are_no_longer_listed() -> None:
    targets = targets_of(ITEMS)
    remaining = targets.only(targets.given_weights() == 1)
    assert listed(remaining) == [
        {c: pair for c, pair in item.items() if pair[1] == 1} for item in ITEMS
    ]
    assert len(HARD.only(np.zeros(3, bool)).classes) == 0
