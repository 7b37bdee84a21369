"""Intervals from windows: worked by hand, against plain loops, and whatever the pieces given."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.predictions import intervals as module
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.intervals import (
    IntervalConfig,
    IntervalFinder,
    find_intervals,
    video_curve,
)
from reeltag.predictions.rows import TimedRows

Row = tuple[
    str, int, float, float, float, float, float
]  # id, class, start, end, peak_s, peak, mean


def logit(prob: Any) -> NDArray[np.float64]:
    prob = np.asarray(prob, np.float64)
    logits: NDArray[np.float64] = np.log(prob) - np.log1p(-prob)
    return logits


def windows_of(
    ids: list[str], start_s: list[float], end_s: list[float], probs: Any
) -> ScoredWindows:
    probs = np.asarray(probs, np.float64)
    return ScoredWindows(
        ids=pa.array(ids, pa.string()),
        start_s=np.array(start_s, np.float64),
        end_s=np.array(end_s, np.float64),
        logits=logit(probs if probs.ndim == 2 else probs[:, None]).astype(np.float32),
    )


def seconds_of(probs: list[float], name: str = "a") -> ScoredWindows:
    """Return windows of a second each, of one class."""
    seconds = [float(second) for second in range(len(probs) + 1)]
    return windows_of([name] * len(probs), seconds[:-1], seconds[1:], probs)


def rows_of(found: Intervals) -> list[Row]:
    table = found.to_arrow().to_pydict()
    names = ("id", "class", "start_s", "end_s", "peak_s", "peak_prob", "mean_prob")
    return [*zip(*(table[name] for name in names), strict=True)]


def spans(found: Intervals) -> list[tuple[float, float]]:
    return [*zip(found.start_s.tolist(), found.end_s.tolist(), strict=True)]


def config_of(**changes: float) -> IntervalConfig:
    plain = IntervalConfig(length_s=1.0, min_length_s=0.0, merge_gap_s=0.0, low_odds=1.0)
    values: dict[str, Any] = {name: float(value) for name, value in changes.items()}
    return replace(plain, **values)


def plain_curve(
    start: list[float], end: list[float], probs: NDArray[np.float64], config: IntervalConfig
) -> list[float | None]:
    """Return the curve of one class of a video, step by step."""
    hop, steps = config.hop_s, math.ceil(max(end) / config.hop_s - 1e-6)
    curve: list[float | None] = []
    for k in range(steps):
        total = weight = 0.0
        for window in range(len(start)):
            overlap = min(end[window], (k + 1) * hop) - max(start[window], k * hop)
            if overlap > 1e-6 * hop:
                total, weight = total + overlap * probs[window], weight + overlap
        curve.append(total / weight if weight else None)
    radius = int(config.smooth_s / hop / 2 - 0.5 + 1e-6)
    around = [curve[max(0, k - radius) : k + radius + 1] for k in range(steps)]
    known = [[value for value in near if value is not None] for near in around]
    return [None if curve[k] is None else sum(known[k]) / len(known[k]) for k in range(steps)]


def plain_intervals(
    name: str,
    number: int,
    curve: list[float | None],
    seconds: float,
    high: float,
    config: IntervalConfig,
) -> list[Row]:
    """Return the intervals of one class of a video, step by step."""
    odds = high / (1 - high) * config.low_odds
    low = odds / (1 + odds)
    runs, begin = [], None
    for k, value in enumerate([*curve, None]):
        if value is not None and value >= low * (1 - 1e-6):
            begin = k if begin is None else begin
        elif begin is not None:
            if max(v for v in curve[begin:k] if v is not None) >= high * (1 - 1e-6):
                runs.append([begin, k])
            begin = None
    joined: list[list[int]] = []
    for run in runs:
        if joined and (run[0] - joined[-1][1]) * config.hop_s <= config.merge_gap_s + 1e-6:
            joined[-1][1] = run[1]
        else:
            joined.append(run)
    found = []
    for first, last in joined:
        start, end = first * config.hop_s, min(last * config.hop_s, seconds)
        if end - start < config.min_length_s - 1e-6:
            continue
        values = [value or 0.0 for value in curve[first:last]]
        best = first + next(k for k, v in enumerate(values) if v >= max(values) * (1 - 5e-7))
        peak_s = (best * config.hop_s + min((best + 1) * config.hop_s, seconds)) / 2
        found.append((name, number, start, end, peak_s, max(values), sum(values) / len(values)))
    return found


def plain(windows: ScoredWindows, config: IntervalConfig, high: list[float]) -> list[Row]:
    ids, probs = windows.ids.to_pylist(), 1 / (1 + np.exp(-windows.logits.astype(np.float64)))
    found = []
    for name in dict.fromkeys(ids):
        mine = [row for row, of in enumerate(ids) if of == name]
        start, end = ([float(x[row]) for row in mine] for x in (windows.start_s, windows.end_s))
        for number, threshold in enumerate(high):
            curve = plain_curve(start, end, probs[mine, number], config)
            found += plain_intervals(name, number, curve, max(end), threshold, config)
    return found


def same(found: list[Row], expected: list[Row]) -> None:
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    np.testing.assert_allclose(
        [row[2:] for row in found], [row[2:] for row in expected], rtol=1e-5, atol=1e-6
    )


def test_interval_reaches_high_and_lasts_while_low() -> None:
    curve = [0.1, 0.3, 0.6, 0.9, 0.4, 0.1, 0.4, 0.1]
    found = find_intervals(seconds_of(curve), config_of(low_odds=0.25), logit([0.5]))
    same(rows_of(found), [("a", 0, 1.0, 5.0, 3.5, 0.9, 2.2 / 4)])  # at 6 s it is only low


def test_overlapping_windows_count_by_their_seconds() -> None:
    windows = windows_of(["a"] * 2, [0, 1.5], [3, 4.5], [0.2, 0.8])
    found = find_intervals(windows, config_of(), logit([0.55]))
    # second 1: 1 s of the first and 0.5 s of the other, (0.2 + 0.4) / 1.5; second 2: their mean
    same(rows_of(found), [("a", 0, 3.0, 4.5, 3.5, 0.8, 0.8)])
    same(
        rows_of(find_intervals(windows, config_of(), logit([0.4]))),
        [("a", 0, 1.0, 4.5, 3.5, 0.8, (0.4 + 0.5 + 0.8 + 0.8) / 4)],
    )


def test_intervals_at_most_a_gap_apart_become_one() -> None:
    windows = seconds_of([0.9, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.7])
    found = find_intervals(windows, config_of(merge_gap_s=2), logit([0.5]))
    same(rows_of(found), [("a", 0, 0, 4, 0.5, 0.9, 1.9 / 4), ("a", 0, 7, 8, 7.5, 0.7, 0.7)])


def test_short_intervals_are_dropped_after_they_are_joined() -> None:
    windows = seconds_of([0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9])
    found = find_intervals(windows, config_of(merge_gap_s=1, min_length_s=2), logit([0.5]))
    assert spans(found) == [(0, 3)]


def test_smoothed_curve_is_mean_of_steps_around() -> None:
    windows = seconds_of([0.1, 0.1, 0.9, 0.1, 0.1, 0.1])
    found = find_intervals(windows, config_of(smooth_s=3), logit([0.36]))
    same(rows_of(found), [("a", 0, 1, 4, 1.5, 1.1 / 3, 1.1 / 3)])


def test_interval_ends_with_its_video() -> None:
    windows = windows_of(["a"] * 2 + ["b"], [0, 2, 0], [2, 3.4, 0.7], [0.1, 0.9, 0.9])
    found = find_intervals(windows, config_of(length_s=2, hop_s=2), logit([0.5]))
    same(rows_of(found), [("a", 0, 2, 3.4, 2.7, 0.9, 0.9), ("b", 0, 0, 0.7, 0.35, 0.9, 0.9)])


def test_interval_does_not_cross_seconds_without_window_or_videos() -> None:
    windows = windows_of(["a", "a", "b"], [0, 5, 0], [2, 6, 2], [0.9] * 3)
    found = find_intervals(windows, config_of(merge_gap_s=2), logit([0.5]))
    assert spans(found) == [(0, 2), (5, 6), (0, 2)]


def test_score_equal_to_the_threshold_reaches_it() -> None:
    step = ScoredWindows(
        ids=pa.array(["a"] * 40),
        start_s=np.arange(40) * 0.1,
        end_s=np.arange(40) * 0.1 + 0.7,
        logits=np.full((40, 1), 1.2345678, np.float32),
    )
    found = find_intervals(step, config_of(length_s=0.7, hop_s=0.1), step.logits[0])
    assert found.start_s.tolist() == [0] and found.end_s == pytest.approx([4.6])


def test_class_without_threshold_has_no_intervals() -> None:
    windows = windows_of(["a"], [0], [1], [[0.9, 0.9]])
    windows.logits[:] = 100.0  # its probability is 1 in float32
    found = find_intervals(windows, config_of(), [np.inf, 0.0])
    assert found.classes.tolist() == [1]
    assert found.scores[0] == pytest.approx(25 * math.log(2))


windows_strategy = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(1, 25),
            st.lists(st.floats(0.01, 0.99), min_size=2, max_size=2),
        ),
        min_size=1,
        max_size=7,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=30, deadline=None)
@given(
    videos=windows_strategy,
    hop=st.sampled_from([0.3, 0.5, 1.0, 2.0]),
    smooth=st.sampled_from([0.0, 1.5, 3.0, 5.0]),
    gap=st.sampled_from([0.0, 0.6, 1.0, 3.0]),
    min_length=st.sampled_from([0.0, 1.2, 2.0]),
    low=st.sampled_from([0.1, 0.5, 1.0]),
    cells=st.sampled_from([6, 20, 200]),
    piece=st.integers(1, 9),
)
def test_intervals_equal_plain_loops_whatever_the_pieces(
    videos: list[list[tuple[int, int, list[float]]]],
    hop: float,
    smooth: float,
    gap: float,
    min_length: float,
    low: float,
    cells: int,
    piece: int,
) -> None:
    # thresholds that no curve is within rounding of
    high = [0.3217341, 0.6123457]
    config = config_of(
        length_s=10,
        hop_s=hop,
        smooth_s=smooth,
        merge_gap_s=gap,
        min_length_s=min_length,
        low_odds=low,
    )
    rows = [
        (f"v{number}", start / 10, (start + length) / 10, probs)
        for number, video in enumerate(videos)
        for start, length, probs in sorted(video, key=lambda window: window[0])
    ]
    windows = windows_of(*map(list, zip(*rows, strict=True)))
    expected = plain(windows, config, high)
    first = windows.slice(0, len(videos[0]))
    times = first.start_s.tolist(), first.end_s.tolist()
    probs = 1 / (1 + np.exp(-first.logits.astype(np.float64)))
    for number, curve in enumerate(video_curve(first, config).T):
        values = plain_curve(*times, probs[:, number], config)
        plain_values = [-np.inf if value is None else value for value in values]
        np.testing.assert_allclose(curve, plain_values, rtol=1e-5)
    same(rows_of(find_intervals(windows, config, logit(high))), expected)
    finder, before = IntervalFinder(config, logit(high)), module._CELLS
    module._CELLS = cells
    try:
        pieces = [
            finder.add(windows.slice(i, min(len(windows), i + piece)))
            for i in range(0, len(windows), piece)
        ]
        found = rows_of(Intervals.concatenate([*pieces, finder.finish()]))
    finally:
        module._CELLS = before
    same(sorted(found, key=lambda row: row[:3]), expected)


def test_finder_holds_no_more_of_a_longer_video() -> None:
    config = IntervalConfig()
    finder = IntervalFinder(config, np.zeros(3))
    held = []
    for first in range(0, 5000, 500):
        seconds = np.arange(first, first + 500, dtype=np.float64)
        logits = np.sin(seconds[:, None] / 7 + np.arange(3)).astype(np.float32) * 5
        finder.add(
            ScoredWindows(
                ids=pa.array(["a"] * 500), start_s=seconds, end_s=seconds + 5, logits=logits
            )
        )
        assert finder._open is not None
        held.append((len(finder._open.windows.starts), len(finder._runs._held)))
    assert max(windows for windows, _ in held) <= 6 and max(runs for _, runs in held) <= 6


def test_finder_can_be_used_again_after_finish() -> None:
    finder, windows = IntervalFinder(config_of(), [0.0]), seconds_of([0.9, 0.1])
    both = [rows_of(Intervals.concatenate([finder.add(windows), finder.finish()])) for _ in "ab"]
    assert both[0] == both[1] and len(both[0]) == 1
    assert len(finder.finish()) == 0


def test_windows_cover_a_video_once_around() -> None:
    config = IntervalConfig(length_s=5, hop_s=1)
    for duration in (0.4, 1.0, 5.0, 5.1, 17.3):
        start, end = config.windows(duration)
        assert start[0] == 0 and end.max() == end[-1] == pytest.approx(duration)
        assert all(b - a == 1 for a, b in pairwise(start.tolist()))
        assert (end[:-1] < duration).all() and (end > start).all()


@pytest.mark.parametrize(
    ("start", "end", "probs", "message"),
    [
        ([0, 1], [1, 1], [0.5, 0.5], "the window [1, 1) s must begin at 0 s or later"),
        ([-1, 1], [1, 2], [0.5, 0.5], "the window [-1, 1) s must begin at 0 s or later"),
        ([1, 0], [2, 1], [0.5, 0.5], "the window [0, 1) s comes after one that begins later"),
        ([0, 1], [1, 2], [0.5, np.nan], "the window [1, 2) s has a score that is not a number"),
        ([0, 1], [1, 2], [[0.5] * 2] * 2, "scores of 2 windows x 1 classes are 2 x 2"),
    ],
)
def test_finder_reports_bad_windows(
    start: list[float], end: list[float], probs: Any, message: str
) -> None:
    with pytest.raises(DataError) as error:
        find_intervals(windows_of(["a"] * 2, start, end, probs), config_of(), [0.0])
    assert message in str(error.value)


def test_finder_reports_order_across_calls() -> None:
    finder = IntervalFinder(config_of(), [0.0])
    finder.add(windows_of(["a"], [4], [5], [0.5]))
    with pytest.raises(DataError, match="a: the window"):
        finder.add(windows_of(["a"], [3], [4], [0.5]))


def test_config_and_thresholds_are_checked() -> None:
    with pytest.raises(ConfigError, match="hop_s is 6.0; allowed: at most length_s"):
        IntervalConfig(hop_s=6.0)
    with pytest.raises(ConfigError, match="low_odds is 0.0"):
        IntervalConfig(low_odds=0.0)
    with pytest.raises(ConfigError, match="low thresholds"):
        IntervalFinder(IntervalConfig(), [0.0], [0.1])
    with pytest.raises(ConfigError, match="low thresholds"):
        IntervalFinder(IntervalConfig(), [np.nan])


def test_classes_that_a_prediction_does_not_list_are_absent() -> None:
    rows = TimedRows(
        np.array([0, 1, 3]),
        np.array([1, 0, 1], np.int32),
        np.array([2, 3, -1], np.float32),
        ids=pa.array(["a", "a"]),
        starts=np.array([0.0, 2.5]),
        ends=np.array([2.5, 5.0]),
    )
    windows = ScoredWindows.of_rows(rows, 3)
    assert windows.logits.tolist() == [[-np.inf, 2, -np.inf], [3, -1, -np.inf]]
    found = find_intervals(windows, config_of(length_s=2.5, hop_s=2.5), [0.0] * 3)
    assert found.classes.tolist() == [0, 1] and spans(found) == [(2.5, 5), (0, 2.5)]


def test_curve_is_of_one_video() -> None:
    with pytest.raises(DataError, match="got windows of 2"):
        video_curve(windows_of(["a", "b"], [0, 0], [1, 1], [0.5, 0.5]), config_of())


def test_intervals_table_has_a_row_each() -> None:
    found = find_intervals(seconds_of([0.9, 0.1, 0.8]), config_of(), [0.0])
    table = found.to_arrow()
    assert table.schema.equals(Intervals.SCHEMA) and table.num_rows == len(found) == 2
    assert rows_of(Intervals.from_arrow(table)) == rows_of(found)
    assert rows_of(found.take(np.array([False, True]))) == rows_of(found)[1:]
