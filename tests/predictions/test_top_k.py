"""Best classes of rows and best rows of classes: ties, streams, memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltag.predictions import top_k
from reeltag.predictions.top_k import BestOfClass, top_classes


def test_top_classes_are_sorted_best_first() -> None:
    scores, classes = top_classes(torch.tensor([[0.1, 3.0, -2.0, 1.0]]), 3)
    assert classes.tolist() == [[1, 3, 0]]
    assert scores.tolist() == [[3.0, 1.0, pytest.approx(0.1)]]


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=9, max_size=9), min_size=1))
def test_top_classes_order_ties_by_class(values: list[list[float]]) -> None:
    for k in (4, 9):
        scores, classes = top_classes(torch.tensor(values), k)
        for row, found, its in zip(values, classes.tolist(), scores.tolist(), strict=True):
            assert found == sorted(range(9), key=lambda c: (-row[c], c))[:k]
            assert its == [row[c] for c in found]


def test_top_classes_returns_at_most_all() -> None:
    assert top_classes(torch.zeros(2, 3), 20)[1].tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize("pending", [1, 50, 1 << 22])
def test_best_of_class_matches_a_full_sort(pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_k, "_PENDING_PAIRS", pending)
    generator = np.random.default_rng(0)
    scores = (generator.integers(-5, 5, size=(400, 3)) / 4).astype(np.float32)  # many ties
    best = BestOfClass(3, 20)
    for start in range(0, 400, 30):
        part = scores[start : start + 30]
        classes = np.tile(np.arange(3, dtype=np.int32), len(part))
        positions = np.repeat(np.arange(start, start + len(part)), 3)
        best.add(classes, part.reshape(-1), positions)
    for c in range(3):
        expected = sorted(range(400), key=lambda row: (-scores[row, c], row))[:20]
        found_scores, found = best.best(c)
        assert found.tolist() == expected
        assert found_scores.tolist() == scores[expected, c].tolist()


def test_best_of_class_admits_the_kept_pairs_alone() -> None:
    best = BestOfClass(2, 2)
    classes = np.array([0, 0, 0, 1, 0], np.int32)
    scores = np.array([1.0, -3.0, 1.0, -9.0, 1.0], np.float32)
    positions = np.array([4, 5, 6, 6, 7])
    assert best.may_enter(classes, scores, positions).all()
    best.add(classes, scores, positions)
    best.select()
    assert best.may_enter(classes, scores, positions).tolist() == [True, False, True, True, False]


def test_best_of_class_orders_zeros_and_infinities() -> None:
    best = BestOfClass(1, 9)
    scores = np.array([-0.0, 0.0, -np.inf, np.inf, -1e-38], np.float32)
    best.add(np.zeros(5, np.int32), scores, np.arange(5))
    assert best.best(0)[1].tolist() == [3, 0, 1, 4, 2]


def test_best_of_class_memory_is_bounded() -> None:
    """The challenge has 1000 classes of 100,000 places; here are 100 of 10,000."""
    random = np.random.default_rng(0)
    best = BestOfClass(100, 10_000)
    tracemalloc.start()
    for start in range(0, 30_000, 300):
        scores = random.standard_normal(30_000, dtype=np.float32)
        classes = np.tile(np.arange(100, dtype=np.int32), 300)
        positions = np.repeat(np.arange(start, start + 300), 100)
        enters = best.may_enter(classes, scores, positions)
        best.add(classes[enters], scores[enters], positions[enters])
    best.select()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(len(best.best(c)[0]) == 10_000 for c in (0, 50, 99))
    assert peak < 20e6  # 8 MB of pairs, one selection, and the segments of a batch
