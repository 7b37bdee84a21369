"""Co-occurrence counts: by hand, by loops, and in small portions."""

import numpy as np
import pytest

from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.labels.cooccurrence import count_cooccurrence

CAR, BMW, GAME, LEGO = range(4)


def labels_of(videos: list[list[int]]) -> SparseRows:
    indptr = indptr_of(np.array([len(labels) for labels in videos], np.int64))
    return SparseRows(indptr, np.array([c for labels in videos for c in labels], np.int32))


def test_cooccurrence_counts_by_hand() -> None:
    found = count_cooccurrence(labels_of([[CAR], [CAR, BMW], [CAR], [BMW, CAR], [GAME]]), 4)
    assert found.videos.tolist() == [4, 2, 1, 0]
    assert [*zip(found.first, found.second, strict=True)] == [(CAR, BMW), (BMW, CAR)]
    assert found.together.tolist() == [2, 2]
    assert found.conditional().tolist() == [0.5, 1.0]  # P(BMW | car), P(car | BMW)
    dense = [[4, 2, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found.dense().tolist() == dense


def test_cooccurrence_of_no_labels_is_empty() -> None:
    empty: list[list[list[int]]] = [[], [[], []]]
    for videos in empty:
        found = count_cooccurrence(labels_of(videos), 3)
        assert not found.dense().any() and len(found.first) == 0


def test_cooccurrence_of_a_slice_counts_its_rows_alone() -> None:
    labels = labels_of([[GAME], [CAR, BMW], [LEGO, CAR], [BMW]])
    found = count_cooccurrence(labels.slice(1, 3), 4)
    alone = count_cooccurrence(labels_of([[CAR, BMW], [LEGO, CAR]]), 4)
    assert found.dense().tolist() == alone.dense().tolist()


def test_cooccurrence_counts_a_repeated_class_once() -> None:
    found = count_cooccurrence(labels_of([[CAR, CAR, BMW], [CAR]]), 3)
    assert found.dense().tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("cells", [0, 10**6])  # in a list of pairs, or in a table of all
@pytest.mark.parametrize("entries", [1, 7, 10**6])
def test_cooccurrence_equals_loops_in_portions_of_any_size(
    entries: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.labels.cooccurrence.ENTRIES", entries)
    monkeypatch.setattr("reeltag.labels.cooccurrence.CELLS", cells)
    rng = np.random.default_rng(0)
    videos: list[list[int]] = [rng.integers(0, 9, rng.integers(0, 6)).tolist() for _ in range(40)]
    expected = np.zeros((9, 9), int)
    for labels in videos:
        for i in set(labels):
            for j in set(labels):
                expected[i, j] += 1
    found = count_cooccurrence(labels_of(videos), 9)
    assert (found.dense() == expected).all()
    share, back = found.conditional(), dict[tuple[int, int], float]()
    assert ((share > 0) & (share <= 1)).all()
    for i, j, p in zip(found.first, found.second, share, strict=True):
        back[i, j] = p * found.videos[i]
    assert all(back[i, j] == pytest.approx(back[j, i]) for i, j in back)  # P(j|i) N_i = P(i|j) N_j
