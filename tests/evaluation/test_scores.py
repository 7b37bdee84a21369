"""Scores of prediction files: by hand, against the dense metrics, and under resampling."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation import matching
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.matching import class_ranges
from reeltag.evaluation.scores import evaluate
from reeltag.metrics import (
    GlobalAveragePrecision,
    HitAtOne,
    MeanAveragePrecision,
    PrecisionAtEqualRecallRate,
    SegmentMeanAveragePrecision,
)
from tests.evaluation.scored_files import SEGMENT_ROWS, many, scores_of, segment_files
from tests.inference.scored import Rating, Row, example, write_corpus, write_rows


def test_scores_of_the_worked_example(tmp_path: Path) -> None:
    found = scores_of(*example(tmp_path))
    assert found["gap@20"] == pytest.approx(0.6809524)
    assert found["hit@1"] == pytest.approx(2 / 3)
    assert found["perr"] == pytest.approx(0.5)
    assert found["map"] == pytest.approx((1 + 1 + 0.5 + 0.5 + 1 / 3) / 5)
    assert found["videos"] == 3 and found["map_truncated_at"] == 5 and found["map_classes"] == 5
    assert found["rows_without_truth"] == found["videos_without_prediction"] == 0
    assert not any(name.startswith("map@k") or "interval" in name for name in found)


def test_short_lists_keep_missing_labels_in_the_divisors(tmp_path: Path) -> None:
    found = scores_of(*example(tmp_path, best=2))
    assert found["gap@20"] == pytest.approx(0.65333333)
    assert found["map"] == pytest.approx((1 + 1 + 1 + 0.5 + 0) / 5)
    assert found["map_truncated_at"] == 2


def test_top_k_names_the_key_and_cuts_the_lists(tmp_path: Path) -> None:
    found = scores_of(*example(tmp_path), top_k=3)
    assert found["gap@3"] == pytest.approx(0.61428571)
    assert found["map"] == pytest.approx((1 + 1 + 0.5 + 0.5 + 1 / 3) / 5)  # all that is stored


@pytest.mark.parametrize("most", [1, 300, 1 << 24])
@pytest.mark.parametrize("listed", [4, 30, 40])
def test_scores_match_the_dense_metrics(
    tmp_path: Path, listed: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_MAX_PAIRS", most)
    draw = np.random.default_rng(listed)
    scores = draw.permutation(60 * 40).reshape(60, 40) / 100 - 9  # logits, no two the same
    labels = draw.random((60, 40)) < 0.1
    labels[7] = False
    labels[8] = True  # more labels than classes that enter GAP
    names = [f"v{video:03}" for video in range(60)]
    best = np.argsort(-scores, axis=1)[:, :listed]
    rows: list[Row] = [
        (name, None, {int(c): float(scores[v, c]) for c in best[v]}) for v, name in enumerate(names)
    ]
    truth = {name: np.flatnonzero(labels[v]).tolist() for v, name in enumerate(names)}
    data = write_corpus(tmp_path / "data", truth, num_classes=40)
    found = scores_of(write_rows(tmp_path / "p", rows[::-1], num_classes=40, group=7), data)
    dense = torch.full((60, 40), -1000.0).scatter_(
        1, torch.from_numpy(best), torch.from_numpy(np.take_along_axis(scores, best, 1)).float()
    )
    for name, metric in (
        ("gap@20", GlobalAveragePrecision(min(listed, 20))),
        ("hit@1", HitAtOne()),
        ("perr", PrecisionAtEqualRecallRate(above=-999)),
        ("map", MeanAveragePrecision(40, top_k=listed)),
    ):
        metric.update(dense, torch.from_numpy(labels))
        assert found[name] == pytest.approx(float(metric.compute()), abs=1e-12), name


def test_scores_are_independent_of_class_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = many(tmp_path / "d", 30)
    whole = scores_of(*paths, top_k=2, bootstrap=40)
    monkeypatch.setattr(matching, "_MAX_PAIRS", 70)
    assert scores_of(*paths, top_k=2, bootstrap=40) == whole


def test_class_ranges_hold_at_most_the_given_pairs() -> None:
    counts = np.array([5, 4, 20, 0, 3, 7])
    assert [*class_ranges(counts, 10)] == [(0, 2), (2, 3), (3, 6)]
    assert [*class_ranges(counts, 10**6)] == [(0, 6)]


def test_segment_scores_match_a_calculation_by_hand(tmp_path: Path) -> None:
    found = scores_of(*segment_files(tmp_path))
    # class 3: hit, (unrated), (unknown), miss, hit; 3 positives. class 1: miss; 1 positive.
    assert found["map@k"] == pytest.approx(((1 + 2 / 3) / 3 + 0) / 2)
    assert found["classes"] == 2 and found["segments"] == 5 and found["k"] == 100_000
    assert found["rows_without_truth"] == 1 and found["videos_without_prediction"] == 1
    assert "gap@20" not in found


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 3), (4, 1 / 3), (5, (1 + 2 / 3) / 3)])
def test_map_at_k_cuts_before_unrated_segments_leave(
    tmp_path: Path, k: int, expected: float
) -> None:
    assert scores_of(*segment_files(tmp_path), k=k)["map@k"] == pytest.approx(expected / 2)


@pytest.mark.parametrize("k", [1, 10, 55, 210, 10_000])
def test_map_at_k_matches_the_dense_metric(tmp_path: Path, k: int) -> None:
    draw = np.random.default_rng(k)
    names = [f"v{video}" for video in range(12)]
    scores = draw.integers(0, 25, (12 * 20, 6)) / 8 - 2  # ties, and scores below zero
    ratings: dict[str, list[Rating]] = {name: [] for name in names}
    labels, weights = torch.zeros(240, 6), torch.zeros(240, 6)
    for row, category in np.argwhere(draw.random(scores.shape) < 0.3).tolist():
        video, second = names[row // 20], row % 20 * 5
        positive = float(draw.random() < 0.5)
        ratings[video].append((second, category, positive))
        labels[row, category], weights[row, category] = positive, 1
    rows: list[Row] = [
        (names[row // 20], row % 20 * 5, dict(enumerate(scores[row].tolist())))
        for row in range(240)
    ]
    data = write_corpus(tmp_path / "data", dict.fromkeys(names, ()), ratings, num_classes=6)
    found = scores_of(write_rows(tmp_path / "p", rows, num_classes=6, group=50), data, k=k)
    metric = SegmentMeanAveragePrecision(6, k=k)
    metric.update(torch.from_numpy(scores).float(), labels, weights)
    assert found["map@k"] == pytest.approx(float(metric.compute()), abs=1e-12)


def test_average_over_decides_about_unlisted_classes(tmp_path: Path) -> None:
    ratings = {"a": [(0, 3, 1.0), (0, 4, 1.0)]}
    data = write_corpus(tmp_path / "data", {"a": ()}, ratings)
    path = write_rows(tmp_path / "p", [("a", 0, {3: 1.0})])
    listed, rated = scores_of(path, data, average_over="listed"), scores_of(path, data)
    assert (listed["map@k"], listed["classes"], listed["classes_unlisted"]) == (1, 1, 1)
    assert (rated["map@k"], rated["classes"], rated["classes_unlisted"]) == (0.5, 2, 1)
    metric = SegmentMeanAveragePrecision(5)
    scores = torch.full((1, 5), -torch.inf)
    scores[0, 3] = 1
    known = torch.zeros(1, 5)
    known[0, 3:] = 1
    metric.update(scores, known, known)  # the metric of training has the same definition
    assert float(metric.compute()) == rated["map@k"]


def test_scores_of_videos_and_segments_in_one_file(tmp_path: Path) -> None:
    videos: list[Row] = [("a", None, {1: 2.0}), ("c", None, {2: 1.0})]
    data = segment_files(tmp_path)[1]
    found = scores_of(write_rows(tmp_path / "both", videos + SEGMENT_ROWS), data)
    assert found["gap@20"] == 1 and found["videos"] == 3
    assert found["map@k"] == pytest.approx(((1 + 2 / 3) / 3 + 0) / 2)


def test_split_makes_all_its_videos_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = example(tmp_path)
    write_corpus(data, {"v4": (0, 1, 2, 3, 4)}, shard="test1")
    write_corpus(data, {"v5": (0,)}, shard="train0")
    loose = scores_of(path, data)
    assert loose["gap@20"] == pytest.approx(0.6809524)
    assert (loose["videos"], loose["videos_without_prediction"]) == (3, 2)
    config = EvaluationConfig(split="test", bootstrap=0)
    strict = evaluate(path, Dataset.open(data, quiet=True), config)
    assert strict["gap@20"] == pytest.approx(0.6809524 / 2)
    assert strict["hit@1"] == pytest.approx(2 / 4)
    assert strict["perr"] == pytest.approx(0.5 * 3 / 4)
    assert (strict["videos"], strict["videos_without_prediction"]) == (4, 1)
    assert "1 videos of the split 'test' have no prediction" in capsys.readouterr().err
    other = scores_of(path, data, split="test", splits=Splits(test="test0"))
    assert other["gap@20"] == pytest.approx(0.6809524)


def test_rows_of_unknown_videos_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = example(tmp_path)
    table = pq.read_table(path)
    more = pa.table(
        dict(zip(table.column_names, (["w"], [None], [None], [[0]], [[9.0]]), strict=True))
    )
    pq.write_table(pa.concat_tables([more.cast(table.schema), table]), path)
    found = evaluate(path, Dataset.open(data, quiet=True), EvaluationConfig(bootstrap=0))
    assert found["gap@20"] == pytest.approx(0.6809524) and found["rows_without_truth"] == 1
    assert "1 rows are about videos outside" in capsys.readouterr().err


def test_per_class_file_has_a_line_per_class(tmp_path: Path) -> None:
    path, data = segment_files(tmp_path)
    out = tmp_path / "classes.csv"
    scores_of(path, data, per_class=out)
    lines = list(csv.DictReader(out.read_text().splitlines()))
    assert [line["name"] for line in lines] == [f"class {c}" for c in range(5)]
    assert [line["segment_positives"] for line in lines] == ["0", "1", "0", "3", "0"]
    precision = ["", "0.000000", "", "0.555556", ""]
    assert [line["segment_average_precision"] for line in lines] == precision


def test_score_without_positives_is_undefined(tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "data", {"a": ()}, {"a": [(0, 3, 0.0)]})
    found = scores_of(write_rows(tmp_path / "p", [("a", 0, {3: 1.0})]), data, bootstrap=5)
    assert found["map@k"] is None and found["map@k_interval"] is None


def check_raises(path: Path, data: Path, words: str, **options: Any) -> None:
    with pytest.raises(DataError, match=words):
        scores_of(path, data, **options)


def test_evaluate_raises_for_files_that_do_not_fit(tmp_path: Path) -> None:
    path, data = example(tmp_path)
    other = write_corpus(tmp_path / "other", {"v1": (0,)}, num_classes=6)
    check_raises(path, other, "has 6 classes; the file of predictions has 5")
    check_raises(path, write_corpus(tmp_path / "far", {"w": (1,)}), "is about no video of")
    unlabelled = write_corpus(tmp_path / "bare", {"v1": (), "v2": ()})
    check_raises(path, unlabelled, "holds no labels or ratings for 3 videos")
    (tmp_path / "text").write_text("not Parquet")
    check_raises(tmp_path / "text", data, "cannot be read as Parquet")
    pq.write_table(pa.table({"id": ["v1"]}), tmp_path / "columns")
    check_raises(tmp_path / "columns", data, "lacks the columns")
    check_raises(write_rows(tmp_path / "none", []), data, "it has no rows")


def test_evaluate_names_a_damaged_file(tmp_path: Path) -> None:
    path, data = example(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 200 + content[204:])  # the first ids
    check_raises(path, data, "p.parquet: cannot be read")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("v1", None, {0: 1.0}), ("v1", None, {1: 1.0})], "more than one row for 'v1'"),
        ([("v1", 5, {0: 1.0}), ("v1", 5, {1: 1.0})], "more than one row for 'v1' at 5 s"),
        ([("v1", None, {5: 1.0})], r"classes 5\.\.5, outside 0\.\.4"),
        ([("v1", None, {0: float("nan")})], "a score that is a number"),
        ([("v1", -5, {0: 1.0})], "start before 0 s"),
        ([(None, None, {0: 1.0})], "without an id"),
    ],
)
def test_evaluate_names_broken_rows(tmp_path: Path, rows: list[Row], words: str) -> None:
    check_raises(write_rows(tmp_path / "broken", rows), example(tmp_path)[1], words)


def test_evaluate_names_rows_that_are_not_rankings(tmp_path: Path) -> None:
    path, data = example(tmp_path)
    schema = pq.read_schema(path)

    def write(start: int | None, classes: list[int], scores: list[float]) -> None:
        end = None if start is None else start + 5
        columns = {"id": ["v1"], "start_s": [start], "end_s": [end]}
        columns |= {"classes": [classes], "scores": [scores]}
        pq.write_table(pa.table(columns, schema), path)

    write(None, [1, 2], [0.1, 0.2])
    check_raises(path, data, "scores of 'v1' are not best first")
    write(None, [1, 2, 1], [0.3, 0.2, 0.1])
    check_raises(path, data, "row of 'v1' holds class 1 twice")
    write(0, [3, 3], [0.3, 0.2])
    data = write_corpus(tmp_path / "rated", {"v1": ()}, {"v1": [(0, 3, 1.0)]})
    check_raises(path, data, "'v1' at 0 s holds class 3 twice")


def test_empty_row_counts_as_missed(tmp_path: Path) -> None:
    path, data = example(tmp_path)
    rows: list[Row] = [("v1", None, {}), ("v3", None, {3: 1.0})]
    found = scores_of(write_rows(path, rows), data)
    assert found["hit@1"] == 0.5 and found["gap@20"] == pytest.approx(1 / 3)


def test_evaluation_config_raises_out_of_range(tmp_path: Path) -> None:
    paths = example(tmp_path)
    for option, value in (("k", 0), ("top_k", 0), ("bootstrap", -1)):
        with pytest.raises(ConfigError, match=f"{option} is {value}; allowed: an integer >= "):
            scores_of(*paths, **{option: value})  # type: ignore[arg-type]
