"""Moments against ratings within them, and against events whose times are known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.evaluation.moments import Events, evaluate_moments, evaluate_seconds
from reeltag.evaluation.rating_scores import ratings_within
from reeltag.evaluation.truth import read_truth
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.intervals import IntervalConfig
from tests.data.made import indexed, rated_record, write_shard

Row = tuple[str, int, float, float]


def intervals(*rows: Row) -> Intervals:
    """Return intervals (id, class, start, end), the first with the best score."""
    ids, classes, start, end = zip(*rows, strict=True) if rows else ((), (), (), ())
    times = np.array(start, np.float64), np.array(end, np.float64)
    return Intervals(
        ids=pa.array(ids, pa.string()),
        classes=np.array(classes, np.int32),
        start_s=times[0],
        end_s=times[1],
        peak_s=times[0],
        scores=-np.arange(len(rows), dtype=np.float64),
        mean_prob=np.full(len(rows), 0.5),
    )


def events(*rows: Row) -> Events:
    ids, classes, start, end = zip(*rows, strict=True)
    return Events(
        ids=pa.array(ids, pa.string()),
        classes=np.array(classes, np.int64),
        start_s=np.array(start, np.float64),
        end_s=np.array(end, np.float64),
    )


def test_ratings_are_within_a_moment_by_their_middle(tmp_path: Path) -> None:
    ratings = [(0, 3, 1.0), (5, 3, 0.0), (10, 3, 1.0), (5, 2, 1.0), (10, 3, 0.0)]  # the last counts
    write_shard(tmp_path / "test0.tfrecord", [rated_record("a", 20, ratings)])
    truth = read_truth(indexed(tmp_path), "test", indexed(tmp_path).num_classes)
    found = intervals(
        ("a", 3, 0, 20), ("a", 3, 2.5, 7.5), ("a", 3, 3, 13), ("a", 2, 0, 20), ("a", 1, 0, 20),
        ("x", 3, 0, 20),
    )  # fmt: skip
    yes, no = ratings_within(found, truth)
    assert yes.tolist() == [1, 1, 0, 1, 0, 0]
    assert no.tolist() == [2, 0, 2, 0, 0, 0]
    assert [len(of) for of in ratings_within(intervals(), truth)] == [0, 0]


def test_moments_are_evaluated_at_temporal_iou() -> None:
    truth = events(("a", 0, 0, 10), ("b", 0, 5, 15), ("a", 1, 0, 4))
    found = intervals(("a", 0, 0, 10), ("b", 0, 5, 11), ("c", 1, 0, 4), ("a", 1, 0, 2))
    scores = evaluate_moments(found, truth, 3)
    # class 0: IoU 1 and .6; class 1: a false one first, then IoU .5
    assert scores["map@tiou=0.3"] == scores["map@tiou=0.5"] == pytest.approx((1 + 0.5) / 2)
    assert scores["map@tiou=0.7"] == pytest.approx((0.5 + 0) / 2)
    assert scores["map@tiou"] == pytest.approx((0.75 + 0.75 + 0.25) / 3)
    assert [scores[name] for name in ("moments", "events", "classes")] == [4, 3, 2]
    assert evaluate_moments(intervals(), truth, 3)["map@tiou"] == 0


def test_seconds_are_evaluated_by_the_curve_whatever_the_blocks() -> None:
    logits = {"a": [2.0, -2.0, 1.0, -1.0], "b": [0.0, 3.0]}  # of windows of 1 s
    truth = events(("a", 0, 0, 1), ("a", 0, 2.4, 3.6), ("b", 0, 0.6, 2))
    ids = [name for name, of in logits.items() for _ in of]
    start = np.array([float(at) for of in logits.values() for at in range(len(of))])
    every = ScoredWindows(
        ids=pa.array(ids),
        start_s=start,
        end_s=start + 1,
        logits=np.array([[value] for of in logits.values() for value in of], np.float32),
    )
    ranked = [True, True, True, False, True, False]  # b1, a0, a2, b0, a3, a1
    places = np.flatnonzero(ranked) + 1
    expected = np.mean(np.arange(1, len(places) + 1) / places)
    for size in (1, 3, 6):
        parts = [every.slice(at, min(at + size, 6)) for at in range(0, 6, size)]
        config = IntervalConfig(length_s=1, hop_s=0.5)
        assert evaluate_seconds(parts, truth, config, 1) == pytest.approx(expected)


def test_events_are_read_from_csv(tmp_path: Path) -> None:
    path, classes = tmp_path / "events.csv", ClassList(("Car", "Dog"))
    path.write_text("id,start_s,end_s,class\na,0.5,2,dog\nb,1,3.25,0\n")
    found = Events.open(path, classes)
    assert (found.ids.to_pylist(), found.classes.tolist()) == (["a", "b"], [1, 0])
    assert (found.start_s.tolist(), found.end_s.tolist()) == ([0.5, 1], [2, 3.25])
    path.write_text("id,start_s,end_s,class\na,0.5,2,dog\nb,3,3,0\n")
    with pytest.raises(DataError, match=r"row 2(.|\n)*end_s must be after start_s, got 3 to 3"):
        Events.open(path, classes)
    path.write_text("id,start_s,end_s,class\na,0.5,2,cat\n")
    with pytest.raises(ConfigError, match="no class is called 'cat'"):
        Events.open(path, classes)
