"""Ratings as a record holds them, of windows [start, end) of any length, cleaned."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reeltag.data.records.example import Feature
from reeltag.data.records.problems import Problem
from reeltag.data.streams import MAX_CLASSES

PUBLISHED_SECONDS = 5.0  # of a segment of YouTube-8M, where a record gives no end times
STARTS, ENDS, LABELS, SCORES = RATING_KEYS = (
    "segment_start_times",
    "segment_end_times",
    "segment_labels",
    "segment_scores",
)


class Ratings(NamedTuple):
    """Which class was rated when, and how: parallel lists in the order of the record.

    Attributes:
        starts: seconds, at which the rated window begins.
        ends: seconds, at which it ends.
        labels: class; 0 where it is text.
        scores: 1 = the class is there, 0 = it is not.
        names: the class as text, which only a class list explains; empty where it is a number.
    """

    starts: list[float]
    ends: list[float]
    labels: list[int]
    scores: list[float]
    names: Sequence[str] = ()


NO_RATINGS = Ratings([], [], [], [])


def read_ratings(
    features: Mapping[str, Feature], duration_s: float, problems: set[Problem]
) -> Ratings:
    """Return the ratings that can be used; what was wrong with the others is added to `problems`.

    A window that begins in the video and ends behind it is kept, as it is. Numbers may be whole or
    not; without end times each window is 5 s, as in YouTube-8M.

    Args:
        features: a record's context, or the `RATING_KEYS` of it.
        duration_s: of the video.
        problems: of the record.
    """
    given = {name: features.get(name) for name in RATING_KEYS}
    held = {name: values for name, values in given.items() if values is not None and len(values)}
    if not held:
        return NO_RATINGS
    lists = {name: values for name, values in held.items() if not isinstance(values, list)}
    lengths = {len(values) for values in held.values()}
    names, labels = _classes(held.get(LABELS))
    if (
        not {STARTS, SCORES} <= lists.keys()
        or len(held.keys() - lists.keys() - {LABELS})
        or len(lengths) > 1
        or labels is None
    ):
        problems.add(Problem.SEGMENT_LISTS)
        return NO_RATINGS
    starts = np.asarray(lists[STARTS], np.float64)
    ends = np.asarray(lists.get(ENDS, starts + PUBLISHED_SECONDS), np.float64)
    scores = np.asarray(lists[SCORES], np.float64)
    kept = list[tuple[float, float, int, float, str]]()
    columns = (starts.tolist(), ends.tolist(), labels, scores.tolist(), names or [""] * len(labels))
    for start, end, label, score, name in zip(*columns, strict=True):
        problem = _problem_with(start, end, label, score, duration_s)
        if problem is not None:
            problems.add(problem)
        if problem in (None, Problem.SEGMENT_CUT):
            kept.append((start, end, label, score, name))
    if not kept:
        return NO_RATINGS
    *numbers, texts = map(list, zip(*kept, strict=True))
    found = Ratings(*numbers)
    return found._replace(names=texts) if names else found


def _classes(values: Feature) -> tuple[list[str], list[int] | None]:
    """Return classes that are text, and as numbers, 0 for a text; None where they are neither."""
    if isinstance(values, list):
        return [value.decode(errors="backslashreplace") for value in values], [0] * len(values)
    is_whole = values is not None and values.dtype == np.int64
    return [], values.tolist() if is_whole and values is not None else None


def _problem_with(
    start: float, end: float, label: int, score: float, duration_s: float
) -> Problem | None:
    """Return what is wrong with one rating, the gravest first."""
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        return Problem.SEGMENT_TIMES
    if start >= duration_s:
        return Problem.SEGMENT_PAST_END
    if not 0 <= label < MAX_CLASSES:
        return Problem.LABEL_OUTSIDE
    if not math.isfinite(score):
        return Problem.SEGMENT_SCORE
    return Problem.SEGMENT_CUT if end > duration_s else None
