"""Ratings of windows: which can be used, and what is logged of the others."""

import numpy as np
import pytest

from reeltag.data.records.example import Feature
from reeltag.data.records.problems import Problem
from reeltag.data.records.ratings import (
    ENDS,
    LABELS,
    NO_RATINGS,
    SCORES,
    STARTS,
    Ratings,
    read_ratings,
)

CLASSES, VALUES = np.array([4, 5]), np.array([1, 0], np.float32)


def read(
    starts: Feature, classes: Feature = CLASSES, values: Feature = VALUES, ends: Feature = None
) -> tuple[Ratings, set[Problem]]:
    problems = set[Problem]()
    lists = {STARTS: starts, LABELS: classes, SCORES: values, ENDS: ends}
    return read_ratings(lists, 60, problems), problems


@pytest.mark.parametrize(
    ("start", "problem", "is_kept"),
    [
        (0, None, True),
        (55, None, True),
        (58, Problem.SEGMENT_CUT, True),
        (60, Problem.SEGMENT_PAST_END, False),
        (296, Problem.SEGMENT_PAST_END, False),
        (-1, Problem.SEGMENT_TIMES, False),
    ],
)
def test_rating_starts_in_a_video_of_60_seconds(
    start: int, problem: Problem | None, is_kept: bool
) -> None:
    ratings, problems = read(np.array([start, 10]))
    assert problems == ({problem} if problem else set())
    both = Ratings([start, 10], [start + 5, 15], [4, 5], [1, 0])
    assert ratings == (both if is_kept else Ratings([10], [15], [5], [0]))


def test_rating_window_is_as_long_as_it_says() -> None:
    ratings, problems = read(np.array([3, 17]), ends=np.array([9, 42]))
    assert (ratings.starts, ratings.ends, problems) == ([3, 17], [9, 42], set())


def test_rating_times_need_not_be_whole_seconds() -> None:
    starts, ends = np.array([0.25, 7.5], np.float32), np.array([0.5, 90.0], np.float32)
    ratings, problems = read(starts, ends=ends)
    assert (ratings.starts, ratings.ends) == ([0.25, 7.5], [0.5, 90.0])
    assert problems == {Problem.SEGMENT_CUT}


def test_rating_that_ends_before_it_begins_is_dropped() -> None:
    ratings, problems = read(np.array([5, 10]), ends=np.array([5, 15]))
    assert ratings.starts == [10] and problems == {Problem.SEGMENT_TIMES}


def test_rating_values_may_be_integers() -> None:
    ratings, problems = read(np.array([0, 5]), values=np.array([1, 0]))
    assert ratings.scores == [1, 0] and not problems


def test_rated_classes_may_be_text() -> None:
    lists: dict[str, Feature] = {
        "segment_start_times": np.array([5, 70, 10]),
        "segment_labels": [b"dog", b"cat", b"\xff"],
        "segment_scores": np.array([1.0, 1.0, 0.0], np.float32),
    }
    problems = set[Problem]()
    found = read_ratings(lists, 60, problems)
    assert found == Ratings([5, 10], [10, 15], [0, 0], [1, 0], ["dog", "\\xff"])
    assert problems == {Problem.SEGMENT_PAST_END}


@pytest.mark.parametrize(
    "lists",
    [
        {STARTS: np.array([0, 5, 10]), LABELS: CLASSES, SCORES: VALUES},
        {STARTS: np.array([0, 5]), LABELS: CLASSES},
        {STARTS: np.array([0, 5]), SCORES: VALUES},
        {STARTS: np.array([0, 5]), LABELS: VALUES, SCORES: VALUES},
        {STARTS: np.array([0, 5]), ENDS: np.array([5]), LABELS: CLASSES, SCORES: VALUES},
        {STARTS: [b"0", b"5"], LABELS: CLASSES, SCORES: VALUES},
    ],
)
def test_rating_lists_that_do_not_match_are_dropped_whole(lists: dict[str, Feature]) -> None:
    problems = set[Problem]()
    assert read_ratings(lists, 60, problems) == NO_RATINGS
    assert problems == {Problem.SEGMENT_LISTS}


def test_rating_lists_that_are_empty_are_no_problem() -> None:
    empty = np.array([], np.int64)
    assert read(empty, None, empty.astype(np.float32)) == (NO_RATINGS, set())


def test_rating_value_that_is_no_number_is_dropped() -> None:
    ratings, problems = read(np.array([0, 5]), values=np.array([np.nan, 1], np.float32))
    assert ratings.starts == [5] and problems == {Problem.SEGMENT_SCORE}


def test_rating_of_a_negative_class_is_dropped() -> None:
    ratings, problems = read(np.array([0, 5]), np.array([-1, 5]))
    assert ratings.labels == [5] and problems == {Problem.LABEL_OUTSIDE}


def test_ratings_stay_in_the_order_of_the_record() -> None:
    assert read(np.array([40, 0]))[0].starts == [40, 0]
