"""Rated windows without a prediction of their own: the mean of those that overlap them."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.overlap import OverlapMeans
from reeltag.evaluation.scores import evaluate
from reeltag.evaluation.truth import RatedSegments
from reeltag.predictions.rows import PredictionRows
from tests.inference.scored import write_corpus, write_rows
from tests.windows import segments_at


def rated(*windows: tuple[int, float, float, list[int]]) -> RatedSegments:
    """Return windows of video, start, end and the classes that were rated there."""
    videos, starts, ends, classes = zip(*windows, strict=True)
    held = [c for of in classes for c in of]
    return RatedSegments(
        np.cumsum([0, *map(len, classes)]),
        np.array(held, np.int32),
        np.ones(len(held), np.float32),
        videos=np.array(videos, np.int64),
        starts=np.array(starts, np.float64),
        ends=np.array(ends, np.float64),
    )


def logit(prob: float) -> float:
    return float(np.log(prob / (1 - prob)))


def test_overlap_mean_weighs_windows_by_the_seconds_they_share() -> None:
    means = OverlapMeans(rated((0, 3, 9, [1]), (1, 2, 4, [0, 1])), num_classes=2)
    probs = np.array([[0.2], [0.8], [0.4]])
    rows = PredictionRows.of_matrix(
        ["a", "a", "a"],
        segments_at([0, 5, 10]),
        np.full((3, 1), 1, np.int32),
        np.log(probs / (1 - probs)).astype(np.float32),
    )
    means.add(rows.slice(0, 1), np.array([0]))  # as a stream brings them
    means.add(rows.slice(1, 3), np.array([0, 0]))
    known, scores = means.scores()
    assert known.tolist() == [True, False, False]  # nothing was predicted of video 1
    assert sigmoid(scores[:1])[0] == pytest.approx((2 * 0.2 + 4 * 0.8) / 6, abs=1e-6)


def test_overlap_mean_of_a_class_that_no_row_lists_is_all_but_zero() -> None:
    means = OverlapMeans(rated((0, 3, 9, [0])), num_classes=2)
    one = np.ones((1, 1), np.float32)
    rows = PredictionRows.of_matrix(["a"], segments_at([5]), one.astype(np.int32), one)
    means.add(rows, np.array([0]))
    known, scores = means.scores()
    assert known.all() and sigmoid(scores)[0] == pytest.approx(1e-7, rel=1e-2)


def test_evaluate_scores_ratings_off_the_grid_and_counts_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_corpus(
        tmp_path / "data", {"a": [0], "b": [0]}, {"a": [(0, 0, 1.0)], "b": [(0, 0, 1.0)]}
    )
    ratings = "a,3,9,0,1\nb,17,42,0,0\nb,0,5,0,0\n"  # b's second is on the grid
    (tmp_path / "r.csv").write_text("id,start_s,end_s,class,value\n" + ratings)
    low, high = {0: logit(0.1)}, {0: logit(0.9)}
    rows = [("a", s, high if s in (0, 5) else low) for s in range(0, 100, 5)]
    rows += [("b", s, low) for s in range(0, 5, 5)]
    path = write_rows(tmp_path / "p", rows)
    opened = Dataset.open(data, ratings=tmp_path / "r.csv", quiet=True)
    found = evaluate(path, opened, EvaluationConfig(bootstrap=0))
    assert found["map@k"] == 1 and found["segments"] == 3
    assert found["segments_by_overlap"] == 2
    assert "2 of 3 rated windows were not predicted as such" in capfd.readouterr().err
