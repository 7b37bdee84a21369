"""Ratings of 5-second segments as a record holds them, cleaned."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reeltag.data.records.example import Feature
from reeltag.data.records.problems import Problem
from reeltag.data.streams import MAX_CLASSES

SEGMENT_SECONDS = 5
MAX_START = 295  # seconds; the last start in the 300 s that are released of a video


class Ratings(NamedTuple):
    """Which class was rated when, and how: three parallel lists in the order of the record.

    Attributes:
        starts: first second of the segment.
        labels: class.
        scores: 1 = the class is there, 0 = it is not.
    """

    starts: list[int]
    labels: list[int]
    scores: list[float]


NO_RATINGS = Ratings([], [], [])


def read_ratings(features: Sequence[Feature], num_frames: int, problems: set[Problem]) -> Ratings:
    """Return the ratings that can be used; what was wrong with the others is added to `problems`.

    `segment_end_times` is not used: a segment has 5 seconds. One that begins in the video and
    ends behind it is kept, with the frames that it has.

    Args:
        features: `segment_start_times`, `segment_labels` and `segment_scores` of a record.
        num_frames: length of the video in seconds.
        problems: of the record.
    """
    given = [values for values in features if values is not None and len(values)]
    if not given:
        return NO_RATINGS
    kinds = [getattr(values, "dtype", None) for values in given]
    if kinds != [np.int64, np.int64, np.float32] or len({len(values) for values in given}) > 1:
        problems.add(Problem.SEGMENT_LISTS)
        return NO_RATINGS
    kept = list[tuple[int, int, float]]()
    starts, labels, scores = (np.asarray(values).tolist() for values in given)
    for start, label, score in zip(starts, labels, scores, strict=True):
        problem = _problem_with(start, label, score, num_frames)
        if problem is not None:
            problems.add(problem)
        if problem in (None, Problem.SEGMENT_CUT):
            kept.append((start, label, score))
    return Ratings(*map(list, zip(*kept, strict=True))) if kept else NO_RATINGS


def _problem_with(start: int, label: int, score: float, num_frames: int) -> Problem | None:
    """Return what is wrong with one rating, the gravest first."""
    if not 0 <= start <= MAX_START:
        return Problem.SEGMENT_START
    if start >= num_frames:
        return Problem.SEGMENT_PAST_END
    if not 0 <= label < MAX_CLASSES:
        return Problem.LABEL_OUTSIDE
    if not math.isfinite(score):
        return Problem.SEGMENT_SCORE
    return Problem.SEGMENT_CUT if start + SEGMENT_SECONDS > num_frames else None
