"""Random segments for soft labels: their number, their chances and what they do not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reeltag.core.seeding import mixed
from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.labels import segment_sampling
from reeltag.labels.random_keys import id_keys
from reeltag.labels.segment_sampling import DrawnSegments, draw_equal, draw_segments

Videos = list[tuple[int, list[int]]]  # segments, labels
some_videos = st.lists(
    st.tuples(st.integers(0, 12), st.lists(st.integers(0, 9), max_size=4, unique=True)), max_size=8
)


def drawn_from(videos: Videos, per_label: int = 2, seed: int = 0) -> DrawnSegments:
    indptr = indptr_of(np.array([len(labels) for _, labels in videos], np.int64))
    labels = np.array([label for _, held in videos for label in held], np.int32)
    segments = np.array([count for count, _ in videos], np.int64)
    keys = id_keys([f"video {number}" for number in range(len(videos))], seed, "test")
    return draw_segments(keys, segments, SparseRows(indptr, labels), per_label)


@given(videos=some_videos, per_label=st.integers(1, 3))
@settings(max_examples=60)
def test_draws_are_min_of_n_labels_and_segments_and_distinct(
    videos: Videos, per_label: int
) -> None:
    drawn = drawn_from(videos, per_label)
    for number, (segments, labels) in enumerate(videos):
        mine = drawn.segment[drawn.video == number]
        assert len(mine) == min(per_label * len(labels), segments)
        assert len(set(mine)) == len(mine) and set(mine) <= set(range(segments))
        counts = [(drawn.drawn_for[drawn.video == number] == label).sum() for label in labels]
        assert set(drawn.drawn_for[drawn.video == number]) <= set(labels)
        assert not counts or max(counts) - min(counts) <= 1  # n each where there are enough
    assert (np.diff(drawn.video) >= 0).all()


def test_draws_depend_on_the_seed() -> None:
    videos: Videos = [(40, [1, 2, 3])] * 5
    one, again, other = (drawn_from(videos, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.segment, again.segment)
    assert np.array_equal(one.drawn_for, again.drawn_for)
    assert not np.array_equal(one.segment, other.segment)


def test_draws_of_a_video_do_not_depend_on_other_videos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos: Videos = [(7 + 9 * number % 23, [number, number + 1]) for number in range(30)]
    together = drawn_from(videos)
    monkeypatch.setattr(segment_sampling, "_AT_ONCE", 70)  # a few videos at a time
    apart = drawn_from(videos)
    for of in ("video", "segment", "drawn_for"):
        assert np.array_equal(getattr(together, of), getattr(apart, of))


def test_draws_are_uniform_over_segments_and_labels() -> None:
    drawn = drawn_from([(10, [3, 4, 5])] * 20_000, per_label=1)  # 3 of 10 segments
    share = np.bincount(drawn.segment, minlength=10) / 20_000
    assert share == pytest.approx(np.full(10, 0.3), abs=0.015)  # 4.6 standard deviations
    few = drawn_from([(1, [3, 4, 5])] * 20_000)  # one segment for three labels
    assert np.bincount(few.drawn_for)[3:] / 20_000 == pytest.approx(np.full(3, 1 / 3), abs=0.016)


def pool_of(drawn_for: NDArray[np.int32], seed: int = 0) -> NDArray[np.uint64]:
    return mixed(id_keys(["v"], seed, "test"), np.arange(len(drawn_for)))


@given(
    drawn_for=st.lists(st.integers(-1, 4), max_size=40),
    per_class=st.integers(1, 6),
    classes=st.sets(st.integers(0, 4)),
)
@settings(max_examples=60)
def test_equal_draws_are_min_of_m_and_the_pool(
    drawn_for: list[int], per_class: int, classes: set[int]
) -> None:
    of = np.array(drawn_for, np.int32)
    picked = draw_equal(of, pool_of(of), per_class, classes)
    for label in range(-1, 5):
        allowed = label >= 0 and (label in classes or not classes)
        pool = int((of == label).sum())
        assert (picked & (of == label)).sum() == (min(per_class, pool) if allowed else 0)


def test_equal_draws_are_random_and_repeatable() -> None:
    of = np.zeros(1000, np.int32)
    one, again, other = (draw_equal(of, pool_of(of, seed), 100) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert 300 < np.flatnonzero(one).mean() < 700  # not the first hundred
    order = np.random.default_rng(0).permutation(1000)
    assert np.array_equal(draw_equal(of, pool_of(of)[order], 100), one[order])
