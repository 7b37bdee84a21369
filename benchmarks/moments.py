"""How fast scored windows become intervals, and in how much memory.

100,000 windows of 500 classes, 5 s each at a hop of 1 s: as one video of 28 hours, and as 500
videos. The scores are synthetic: noise far below the threshold, and for each class events of 20 s,
one in 1000 s on average, far above it; as on real videos, most classes are absent most of the time.
Timed is processor time of one core, without the drawing of scores. The plain loop goes class by
class and step by step over the first of the same windows, and must find the same.

Memory is the peak of what NumPy and Python hold in addition to the batch of windows; its growth
is that from a tenth of the windows to all.
"""

import statistics
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.core.probability import sigmoid
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.intervals import IntervalConfig, IntervalFinder

WINDOWS, CLASSES, BATCH = 100_000, 500, 2000
LOOPED = 400  # windows of the plain loop
CONFIG = IntervalConfig()
HIGH, LOW = 0.5, 0.2  # the second has a quarter of the odds of the first
SECONDS, GROWTH = "<= 10", "< 10 %"
EVENT, EVENTS_EVERY = 20, 1000  # seconds
MIB = 1 << 20


def run(quick: bool) -> list[Row]:
    """Return the figures; processor time, median of three runs.

    Args:
        quick: a fiftieth of the windows.
    """
    number, repeats = (WINDOWS // 50, 1) if quick else (WINDOWS, 3)
    rows = [
        _timed(f"{number:,} windows x {CLASSES} classes, {name}", number, seconds, repeats)
        for name, seconds in (("one video", number), ("videos of 200 s", 200))
    ]
    return [*rows, *_loop(rows[0]["value"] / number), *_memory(number)]


def windows(number: int, seconds: int) -> Iterator[ScoredWindows]:
    """Yield windows in batches, of videos of so many seconds."""
    draw = np.random.default_rng(0)
    held = np.zeros(CLASSES, np.int64)  # seconds that the last event of a class still lasts
    for first in range(0, number, BATCH):
        rows = np.arange(first, min(number, first + BATCH))
        begins = draw.random((len(rows), CLASSES), np.float32) < 1 / EVENTS_EVERY
        present = np.zeros_like(begins)
        for row, new in enumerate(begins):
            held = np.where(new, EVENT, np.maximum(held - 1, 0))
            present[row] = held > 0
        logits = draw.standard_normal((len(rows), CLASSES), np.float32) + np.float32(-6)
        logits[present] += 9
        start = (rows % seconds).astype(np.float64)
        yield ScoredWindows(
            ids=pa.array([f"video {row // seconds}" for row in rows]),
            start_s=start,
            end_s=np.minimum(start + CONFIG.length_s, seconds),
            logits=logits,
        )


def _timed(name: str, number: int, seconds: int, repeats: int) -> Row:
    times, found = [], 0
    for _ in range(repeats):
        finder, spent, found = _finder(), 0.0, 0
        for batch in windows(number, seconds):
            began = time.process_time()
            found += len(finder.add(batch))
            spent += time.process_time() - began
        found += len(finder.finish())
        times.append(spent)
    details = {"runs_s": [round(value, 2) for value in times], "intervals": found, "batch": BATCH}
    return figure(name, round(statistics.median(times), 3), "s, one core", SECONDS, details)


def _loop(ours: float) -> list[Row]:
    """Return the speed of a plain loop over some windows, and how many times ours is that."""
    batch = next(windows(LOOPED, LOOPED))
    began = time.process_time()
    expected = plain_intervals(batch)
    theirs = (time.process_time() - began) / LOOPED
    finder = _finder()
    found = Intervals.concatenate([finder.add(batch), finder.finish()])
    spans = zip(found.classes.tolist(), found.start_s.tolist(), found.end_s.tolist(), strict=True)
    if sorted(spans) != expected:
        raise RuntimeError("the plain loop finds other intervals")
    name = f"plain loop over {LOOPED:,} windows x {CLASSES} classes, per {WINDOWS:,} windows"
    details = {"intervals": len(expected)}
    return [
        figure(name, round(theirs * WINDOWS, 1), "s, one core", details=details),
        figure("speed / plain loop", round(theirs / ours, 1), "x"),
    ]


def plain_intervals(batch: ScoredWindows) -> list[tuple[int, float, float]]:
    """Return class, start and end of the intervals of one video, a class and a step at a time."""
    probs: NDArray[np.float64] = sigmoid(batch.logits)
    length, found = int(CONFIG.length_s), []
    for number in range(CLASSES):
        column = probs[:, number].tolist()
        runs: list[list[float]] = []  # begin, end, peak
        for step in range(len(column)):
            near = column[max(0, step - length + 1) : step + 1]
            value = sum(near) / len(near)
            if value < LOW:
                continue
            if runs and runs[-1][1] == step:
                runs[-1][1:] = [step + 1, max(runs[-1][2], value)]
            else:
                runs.append([step, step + 1, value])
        joined: list[list[float]] = []
        for begin, end, _ in (run for run in runs if run[2] >= HIGH):
            if joined and begin - joined[-1][1] <= CONFIG.merge_gap_s:
                joined[-1][1] = end
            else:
                joined.append([begin, end])
        found += [(number, b, e) for b, e in joined if e - b >= CONFIG.min_length_s]
    return found


def _memory(number: int) -> list[Row]:
    few = number // 10
    peaks = {count: _peak(count) for count in (few, number)}
    growth = 100 * (peaks[number] / peaks[few] - 1)
    return [
        *(
            figure(f"peak memory, {count:,} windows of one video", round(peak / MIB, 1), "MiB")
            for count, peak in peaks.items()
        ),
        figure(f"growth from {few:,} to {number:,} windows", round(growth, 2), "%", GROWTH),
    ]


def _peak(number: int) -> int:
    """Return the most bytes that were held at a time in addition to a batch."""
    finder, peak = _finder(), 0
    tracemalloc.start()
    for batch in windows(number, number):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        finder.add(batch)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return peak


def _finder() -> IntervalFinder:
    return IntervalFinder(CONFIG, np.full(CLASSES, np.log(HIGH / (1 - HIGH))))
