"""Intervals ranked by contrast: worked by hand, against plain loops, and what they obey."""

import numpy as np
import pyarrow as pa
import pytest

from reeltag.predictions.interval_rows import Intervals, ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig
from reeltag.predictions.ranked_intervals import (
    MAX_IOU,
    MIN_CONTRAST,
    MOST,
    lengths_up_to,
    rank_intervals,
)
from tests.predictions.test_intervals import seconds_of, windows_of

SECONDS = IntervalConfig(length_s=1, min_length_s=1)


def spans(found: Intervals) -> list[tuple[float, float]]:
    return [*zip(found.start_s.tolist(), found.end_s.tolist(), strict=True)]


def test_ranked_intervals_by_hand() -> None:
    """Of 2 s at .8 in .1, and 1 s at .5: contrasts .7 and .4, nothing nested in them."""
    found = rank_intervals(seconds_of([0.1, 0.8, 0.8, 0.1, 0.1, 0.5, 0.1, 0.1]), SECONDS)
    assert spans(found)[:2] == [(1, 3), (5, 6)]
    np.testing.assert_allclose(found.peak_prob[:2], [0.7, 0.4], atol=1e-6)
    np.testing.assert_allclose(found.mean_prob[:2], [0.8, 0.5], atol=1e-6)
    assert found.peak_s[:2].tolist() == [1.5, 5.5]


def test_ranked_interval_at_the_edge_loses_to_the_flank_within_the_video_alone() -> None:
    found = rank_intervals(seconds_of([0.9, 0.9, 0.1, 0.1, 0.1]), SECONDS)
    assert spans(found)[0] == (0, 2)
    assert found.peak_prob[0] == pytest.approx(0.8, abs=1e-6)


def test_ranked_interval_of_the_whole_video_has_no_flank_to_lose_to() -> None:
    found = rank_intervals(seconds_of([0.6, 0.6]), SECONDS)
    assert spans(found) == [(0, 2)] and found.peak_prob[0] == pytest.approx(0.6, abs=1e-6)


def test_ranked_intervals_match_plain_loops() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        probs = rng.random((size, 3)).astype(np.float32)
        seconds = np.arange(size + 1.0)
        windows = windows_of(["v"] * size, [*seconds[:-1]], [*seconds[1:]], probs)
        found = rank_intervals(windows, IntervalConfig(length_s=1, min_length_s=2))
        expected = []
        for c in range(3):
            taken: list[tuple[float, int, int]] = []
            for contrast, a, b in sorted(candidates(probs[:, c]), key=lambda each: -each[0]):
                clear = all(iou((a, b), (p, q)) <= MAX_IOU for _, p, q in taken)
                if contrast >= MIN_CONTRAST and clear and len(taken) < MOST:
                    taken.append((contrast, a, b))
            expected += [(c, a, b, contrast) for contrast, a, b in taken]
        rows = zip(found.classes.tolist(), *zip(*spans(found), strict=True), strict=True)
        assert [*rows] == [each[:3] for each in expected]
        np.testing.assert_allclose(found.peak_prob, [each[3] for each in expected], atol=1e-5)


def candidates(curve: np.ndarray) -> list[tuple[float, int, int]]:
    """Return contrast, first and one past the last step of every interval that may be kept."""
    size, found = len(curve), []
    lengths = lengths_up_to(size, min(2, size)).tolist()
    for length in lengths:
        for a in range(size - length + 1):
            b, flank = a + length, max(1, length // 2)
            around = [*curve[max(0, a - flank) : a], *curve[b : b + flank]]
            outside = float(np.mean(around)) if around else 0.0
            found.append((float(curve[a:b].mean()) - outside, a, b))
    return found


def iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    shared = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return shared / (one[1] - one[0] + other[1] - other[0] - shared)


def test_ranked_intervals_end_with_the_video() -> None:
    windows = windows_of(["v"] * 3, [0, 1, 2], [1, 2, 2.5], [0.1, 0.1, 0.9])
    found = rank_intervals(windows, SECONDS)
    assert spans(found)[0] == (2, 2.5) and found.peak_s[0] == 2.25


def test_ranked_intervals_are_not_shorter_than_asked() -> None:
    found = rank_intervals(seconds_of([0.1, 0.9] * 10), IntervalConfig(length_s=1, min_length_s=4))
    assert len(found) == 0 or min(b - a for a, b in spans(found)) >= 4


def test_flat_curve_has_only_the_interval_that_is_the_video() -> None:
    found = rank_intervals(seconds_of([0.3] * 9), SECONDS)
    assert spans(found) == [(0, 9)]


def test_windows_by_video_joins_what_comes_in_parts() -> None:
    whole = windows_of([*"aaabb"], [0, 1, 2, 0, 1], [1, 2, 3, 1, 2], [0.1, 0.2, 0.3, 0.4, 0.5])
    for cut in range(6):
        parts = [whole.slice(0, cut), whole.slice(cut, 5)]
        videos = [*windows_by_video(parts)]
        assert [(video.ids[0].as_py(), len(video)) for video in videos] == [("a", 3), ("b", 2)]
        assert isinstance(videos[0], ScoredWindows) and videos[1].ids.type == pa.string()
