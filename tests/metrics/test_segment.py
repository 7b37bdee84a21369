"""MAP@K: the script of the 2019 challenge, by hand, and the laws of lists with unrated segments."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.metrics import SegmentMeanAveragePrecision
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.segment import mean_over_classes
from tests.conftest import golden_file, golden_files
from tests.metrics import slow
from tests.metrics.golden import Lists, read_lists

CASES = golden_files("segmap/*.labels.csv")
NO_MATRIX = ("s05_duplicates", "s12_1000_classes")  # holds a segment twice; would take gigabytes
AS_A_MATRIX = [path for path in CASES if not path.name.startswith(NO_MATRIX)]


def class_precision(lists: Lists, k: int | None, num_classes: int) -> Tensor:
    scores, hits, classes, rated = lists.pairs
    ranking = rank_pairs(scores, hits, classes, rated_N=rated, k=k)
    return ranking.average_precision(lists.positives(num_classes))


@pytest.mark.golden
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.partition(".")[0])
def test_submitted_lists(path: Path) -> None:
    lists = read_lists(path)
    num_classes = 1 + max(category for _, category in lists.ratings)
    for top_n, expected in lists.expected.items():
        value = class_precision(lists, top_n or None, num_classes)
        listed = torch.tensor([c in lists.lists for c in range(num_classes)])
        mean = float(mean_over_classes(value, listed, "listed"))
        # float64 on both sides; only the order of additions differs
        assert mean == pytest.approx(expected["independent_map"], abs=1e-12)
        if "error" not in expected:
            np.testing.assert_allclose(value[expected["classes"]], expected["aps"], atol=1e-12)
            positives = lists.positives(num_classes)[expected["classes"]]
            assert positives.tolist() == expected["num_positives"]


@pytest.mark.golden
@pytest.mark.parametrize("path", AS_A_MATRIX, ids=lambda path: path.name.partition(".")[0])
def test_metric_gives_the_same_from_dense_scores(path: Path) -> None:
    lists = read_lists(path)
    rows = {s: i for i, s in enumerate(sorted({i for i, _ in lists.ratings} | set_of_ids(lists)))}
    shape = len(rows), 1 + max(category for _, category in lists.ratings)
    scores, labels, weights = torch.full(shape, -torch.inf), torch.zeros(shape), torch.zeros(shape)
    for (segment, category), rating in lists.ratings.items():
        labels[rows[segment], category], weights[rows[segment], category] = rating, 1
    for category, ids in lists.lists.items():
        for rank, segment in enumerate(ids):
            scores[rows[segment], category] = -rank
    for top_n, expected in lists.expected.items():
        metric = SegmentMeanAveragePrecision(shape[1], k=top_n or None, average_over="rated")
        metric.update(scores, labels, weights)
        assert float(metric.compute()) == pytest.approx(expected["independent_map"], abs=1e-12)


def set_of_ids(lists: Lists) -> set[str]:
    return {segment for ids in lists.lists.values() for segment in ids}


@pytest.mark.golden
def test_reference_vectors() -> None:
    reference = json.loads(golden_file("golden_map.json").read_text())
    truth = {
        (key.split("|")[0], int(key.split("|")[1])): rating
        for key, rating in reference["truth_score_by_(segment,class)"].items()
    }
    for case in reference["cases"]:
        lists = {int(c): reference["submission"][c] for c in case.get("use", ["3", "7"])}
        lists |= {7: []} if "use_modified" in case else {}
        value = class_precision(Lists(lists, truth, {}), case["top_n"] or None, 9)
        listed = torch.tensor([c in lists for c in range(9)])
        mean = float(mean_over_classes(value, listed, "listed"))
        assert mean == pytest.approx(case["map"], abs=1e-12), case["id"]
        for category, precision in case.get("per_class_ap_in_mean", {}).items():
            assert float(value[int(category)]) == pytest.approx(precision, abs=1e-12)


def test_worked_by_hand() -> None:
    # class 0: rated hit, unrated, rated miss, rated hit; class 1: only misses; class 2: unrated
    scores = torch.tensor([[4.0, 1, 0], [3, 0, 0], [2, 0, 0], [1, 0, 0]])
    labels = torch.tensor([[1.0, 0, 1], [1, 0, 1], [0, 0, 1], [1, 0, 1]])
    weights = torch.tensor([[1.0, 1, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0]])
    metric = SegmentMeanAveragePrecision(3)
    metric.update(scores, labels, weights)
    assert metric.per_class().tolist() == pytest.approx(
        [(1 + 2 / 3) / 2, *2 * [np.nan]], nan_ok=True
    )
    assert float(metric.compute()) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 2), (3, 1 / 2), (4, (1 + 2 / 3) / 2)])
def test_list_is_cut_before_unrated_segments_leave_it(k: int, expected: float) -> None:
    metric = SegmentMeanAveragePrecision(1, k=k)
    labels = torch.tensor([[1.0], [0], [0], [1]])
    weights = torch.tensor([[1.0], [0], [1], [1]])
    metric.update(torch.tensor([[4.0], [3], [2], [1]]), labels, weights)
    assert float(metric.compute()) == pytest.approx(expected)


def test_class_that_is_missing_from_the_file() -> None:
    scores = torch.tensor([[2.0, -torch.inf], [1, -torch.inf]])
    ones = torch.ones(2, 2)
    for average_over, expected in (("rated", 0.5), ("listed", 1.0)):
        for k in (None, 10):
            metric = SegmentMeanAveragePrecision(2, k, average_over)  # type: ignore[arg-type]
            metric.update(scores, ones, ones)
            assert float(metric.compute()) == expected


@pytest.mark.parametrize("k", [1, 5, 40, 1000])
def test_agrees_with_the_definition_whatever_the_batches(k: int, rng: torch.Generator) -> None:
    scores = torch.randint(0, 30, (60, 7), generator=rng).float()  # with ties
    weights = torch.rand(60, 7, generator=rng) < 0.6
    labels = torch.rand(60, 7, generator=rng) < 0.4
    metric = SegmentMeanAveragePrecision(7, k)
    for part in torch.arange(60).split(11):
        metric.update(scores[part], labels[part], weights[part])
    expected = []
    for c in range(7):
        ratings = [
            float(y) if w else None for y, w in zip(labels[:, c], weights[:, c], strict=True)
        ]
        positives = int((labels & weights)[:, c].sum())
        expected.append(slow.segment_precision(scores[:, c].tolist(), ratings, positives, k))
    np.testing.assert_allclose(metric.per_class().numpy(), expected, rtol=0, atol=1e-12)


def test_without_a_cut_only_rated_pairs_matter(rng: torch.Generator) -> None:
    scores, labels = torch.rand(50, 9, generator=rng), torch.rand(50, 9, generator=rng) < 0.3
    weights = torch.rand(50, 9, generator=rng) < 0.2
    whole, lean = SegmentMeanAveragePrecision(9, k=50), SegmentMeanAveragePrecision(9, k=None)
    for metric in (whole, lean):
        for part in torch.arange(50).split(8):
            metric.update(scores[part], labels[part], weights[part])
    torch.testing.assert_close(whole.per_class(), lean.per_class(), rtol=0, atol=0, equal_nan=True)
    assert len(lean.rows("scores")) == int(weights.sum())


def test_nothing_rated_is_not_a_number() -> None:
    metric = SegmentMeanAveragePrecision(2)
    metric.update(torch.rand(3, 2), torch.ones(3, 2), torch.zeros(3, 2))
    assert metric.compute().isnan()


def test_wrong_input_raises() -> None:
    with pytest.raises(ValueError, match="k must be positive or None, got 0"):
        SegmentMeanAveragePrecision(2, k=0)
    metric = SegmentMeanAveragePrecision(2)
    with pytest.raises(ValueError, match="3 classes, expected 2"):
        metric.update(*3 * [torch.ones(1, 3)])
    with pytest.raises(ValueError, match="NaN"):
        metric.update(torch.full((1, 2), torch.nan), *2 * [torch.ones(1, 2)])


def test_few_ratings_are_ranked_by_themselves_to_the_same_value(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = torch.randint(0, 9, (40, 12), generator=rng).float()  # with ties
    scores[torch.rand(40, 12, generator=rng) < 0.2] = -torch.inf
    rated = torch.rand(40, 12, generator=rng) < 0.1
    labels = rated & (torch.rand(40, 12, generator=rng) < 0.5)
    values = []
    for sparse in (1, 480):  # all columns in full; the rated pairs alone
        monkeypatch.setattr("reeltag.metrics.segment._SPARSE", 480 // sparse)
        metric = SegmentMeanAveragePrecision(12, k=40)
        metric.update(scores, labels, rated.float())
        values.append(metric.per_class())
    assert labels.any(dim=0).any()
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=1e-12, equal_nan=True)
