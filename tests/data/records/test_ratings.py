"""Ratings of segments: which can be used, and what is said of the others."""

import numpy as np
import pytest

from reeltag.data.records.example import Feature
from reeltag.data.records.problems import Problem
from reeltag.data.records.ratings import NO_RATINGS, Ratings, read_ratings

LABELS, SCORES = np.array([4, 5]), np.array([1, 0], np.float32)


def read(starts: Feature, labels: Feature, scores: Feature) -> tuple[Ratings, set[Problem]]:
    problems = set[Problem]()
    return read_ratings([starts, labels, scores], 60, problems), problems


@pytest.mark.parametrize(
    ("start", "problem", "is_kept"),
    [
        (0, None, True),
        (55, None, True),
        (58, Problem.SEGMENT_CUT, True),
        (60, Problem.SEGMENT_PAST_END, False),
        (295, Problem.SEGMENT_PAST_END, False),
        (296, Problem.SEGMENT_START, False),
        (-1, Problem.SEGMENT_START, False),
        (2**62, Problem.SEGMENT_START, False),
    ],
)
def test_starts_in_a_video_of_60_seconds(
    start: int, problem: Problem | None, is_kept: bool
) -> None:
    ratings, problems = read(np.array([start, 10]), LABELS, SCORES)
    assert problems == ({problem} if problem else set())
    assert ratings == (([start, 10], [4, 5], [1, 0]) if is_kept else ([10], [5], [0]))


@pytest.mark.parametrize(
    "lists",
    [
        (np.array([0, 5, 10]), LABELS, SCORES),
        (np.array([0, 5]), LABELS, None),
        (np.array([0, 5]), None, SCORES),
        (np.array([0.0, 5.0], np.float32), LABELS, SCORES),
        (np.array([0, 5]), LABELS, LABELS),
        ([b"0", b"5"], LABELS, SCORES),
    ],
)
def test_lists_that_do_not_match_are_dropped_whole(lists: tuple[Feature, ...]) -> None:
    problems = set[Problem]()
    assert read_ratings(lists, 60, problems) == NO_RATINGS
    assert problems == {Problem.SEGMENT_LISTS}


def test_empty_lists_are_no_problem() -> None:
    assert read(np.array([], np.int64), None, np.array([], np.float32)) == (NO_RATINGS, set())


def test_score_that_is_no_number_is_dropped() -> None:
    ratings, problems = read(np.array([0, 5]), LABELS, np.array([np.nan, 1], np.float32))
    assert ratings == ([5], [5], [1]) and problems == {Problem.SEGMENT_SCORE}


def test_negative_class_is_dropped() -> None:
    ratings, problems = read(np.array([0, 5]), np.array([-1, 5]), SCORES)
    assert ratings == ([5], [5], [0]) and problems == {Problem.LABEL_OUTSIDE}


def test_ratings_stay_in_the_order_of_the_record() -> None:
    ratings, _ = read(np.array([40, 0]), LABELS, SCORES)
    assert ratings.starts == [40, 0]
