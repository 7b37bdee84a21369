"""Which classes appear together: counted by hand, by loops, and in small pieces."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.labels.cooccurrence import count_cooccurrence

CAR, BMW, GAME, LEGO = range(4)


def lists_of(videos: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    bounds = np.append(0, np.cumsum([len(labels) for labels in videos]))
    return bounds.astype(np.int64), np.array([c for labels in videos for c in labels], np.int32)


def test_a_car_need_not_be_a_bmw() -> None:
    found = count_cooccurrence(*lists_of([[CAR], [CAR, BMW], [CAR], [BMW, CAR], [GAME]]), 4)
    assert found.videos.tolist() == [4, 2, 1, 0]
    assert [*zip(found.first, found.second, strict=True)] == [(CAR, BMW), (BMW, CAR)]
    assert found.together.tolist() == [2, 2]
    assert found.conditional().tolist() == [0.5, 1.0]  # P(BMW | car), P(car | BMW)
    dense = [[4, 2, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found.dense().tolist() == dense


def test_without_labels_there_are_no_pairs() -> None:
    empty: list[list[list[int]]] = [[], [[], []]]
    for videos in empty:
        found = count_cooccurrence(*lists_of(videos), 3)
        assert not found.dense().any() and len(found.first) == 0


def test_some_of_the_lists_may_be_given_alone() -> None:
    bounds, classes = lists_of([[GAME], [CAR, BMW], [LEGO, CAR], [BMW]])
    found = count_cooccurrence(bounds[1:4], classes, 4)
    alone = count_cooccurrence(*lists_of([[CAR, BMW], [LEGO, CAR]]), 4)
    assert found.dense().tolist() == alone.dense().tolist()


def test_a_class_listed_twice_counts_once() -> None:
    found = count_cooccurrence(*lists_of([[CAR, CAR, BMW], [CAR]]), 3)
    assert found.dense().tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("cells", [0, 10**6])  # in a list of pairs, or in a table of all
@pytest.mark.parametrize("entries", [1, 7, 10**6])
def test_counts_are_those_of_loops_however_they_are_taken(
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
    found = count_cooccurrence(*lists_of(videos), 9)
    assert (found.dense() == expected).all()
    share, back = found.conditional(), dict[tuple[int, int], float]()
    assert ((share > 0) & (share <= 1)).all()
    for i, j, p in zip(found.first, found.second, share, strict=True):
        back[i, j] = p * found.videos[i]
    assert all(back[i, j] == pytest.approx(back[j, i]) for i, j in back)  # P(j|i) N_i = P(i|j) N_j
