"""What holds for every metric, and an example worked by hand."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor
from torchmetrics import Metric

from reeltag.metrics import (
    GlobalAveragePrecision,
    HitAtOne,
    MeanAveragePrecision,
    PrecisionAtEqualRecallRate,
)
from tests.metrics.ranks import METRICS, batch, score_as_rank, update
from tests.processes import Launch

every_metric = pytest.mark.parametrize("name", METRICS)
SCORES = torch.tensor(
    [[0.9, 0.1, 0.4, 0.05, 0.3], [0.2, 0.8, 0.6, 0.7, 0.01], [0.15, 0.25, 0.35, 0.45, 0.55]]
)
LABELS = torch.tensor([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 1, 0]])


def value_of(metric: Metric, *args: Tensor) -> float:
    metric.update(*args)
    return float(metric.compute())


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [(1, 0.4), (2, 0.65333333), (3, 0.61428571), (5, 0.68095238), (20, 0.68095238)],
)
def test_gap_of_the_worked_example(top_k: int, expected: float) -> None:
    assert value_of(GlobalAveragePrecision(top_k), SCORES, LABELS) == pytest.approx(expected)


def test_rest_of_the_worked_example() -> None:
    assert value_of(HitAtOne(), SCORES, LABELS) == pytest.approx(2 / 3)
    assert value_of(PrecisionAtEqualRecallRate(), SCORES, LABELS) == pytest.approx(0.5)
    for top_k, expected in ((None, [1, 1, 0.5, 0.5, 1 / 3]), (2, [1, 1, 1, 0.5, 0])):
        metric = MeanAveragePrecision(5, top_k)
        metric.update(SCORES, LABELS)
        np.testing.assert_allclose(metric.per_class(), expected, atol=1e-12)
    labels = LABELS.clone()
    labels[2, 3] = 0  # class 3 is empty now
    assert value_of(MeanAveragePrecision(5, 2), SCORES, labels) == pytest.approx(3 / 4)
    assert value_of(GlobalAveragePrecision(2), SCORES, labels) == pytest.approx(0.625)


def test_perr_counts_labels_with_negative_logits() -> None:
    logits, labels = torch.tensor([[-1.0, -2, -3, -4]]), torch.tensor([[1, 0, 1, 0]])
    assert value_of(PrecisionAtEqualRecallRate(), logits, labels) == 0.5
    assert value_of(PrecisionAtEqualRecallRate(), logits.sigmoid(), labels) == 0.5
    assert value_of(PrecisionAtEqualRecallRate(above=0), logits, labels) == 0


def test_map_is_that_of_scikit_learn(rng: torch.Generator) -> None:
    scores = torch.rand(200, 12, generator=rng, dtype=torch.double)
    labels = torch.rand(200, 12, generator=rng) < 0.2
    expected = average_precision_score(labels.numpy(), scores.numpy(), average="macro")
    assert value_of(MeanAveragePrecision(12), scores, labels) == pytest.approx(expected, abs=1e-12)


def test_without_any_label() -> None:
    scores, labels = torch.rand(4, 5), torch.zeros(4, 5)
    for metric in (GlobalAveragePrecision(), HitAtOne(), PrecisionAtEqualRecallRate()):
        assert value_of(metric, scores, labels) == 0
    assert np.isnan(value_of(MeanAveragePrecision(5), scores, labels))


def test_half_precision_scores_are_ranked() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert value_of(GlobalAveragePrecision(2), SCORES.to(dtype), LABELS) == pytest.approx(
            0.6533333
        )


@every_metric
def test_batching_does_not_matter(name: str) -> None:
    rows, whole, parts = batch(0), METRICS[name](), METRICS[name]()
    update(whole, rows)
    for part in torch.arange(64).split(7):
        update(parts, {key: tensor[part] for key, tensor in rows.items()})
    assert float(parts.compute()) == pytest.approx(float(whole.compute()), abs=1e-14)


@every_metric
def test_empty_batch_changes_nothing(name: str) -> None:
    rows, metric = batch(0), METRICS[name]()
    update(metric, rows)
    before = metric.compute()
    update(metric, {key: tensor[:0] for key, tensor in rows.items()})
    assert metric.compute() == before


@every_metric
def test_rescaling_scores_does_not_matter(name: str) -> None:
    rows, plain, scaled = batch(1), METRICS[name](), METRICS[name]()
    update(plain, rows)
    update(scaled, rows | {"scores": 3 * rows["scores"] - 40})
    assert plain.compute() == scaled.compute()


@every_metric
def test_merged_states_are_those_of_one_metric(name: str) -> None:
    one, first, second = (METRICS[name]() for _ in range(3))
    for metric, rows in ((one, batch(0)), (one, batch(1)), (first, batch(0)), (second, batch(1))):
        update(metric, rows)
    second.merge_state(first)  # torchmetrics puts what comes in first
    assert float(second.compute()) == pytest.approx(float(one.compute()), abs=1e-14)


@every_metric
def test_reset_forgets_and_copies_are_apart(name: str) -> None:
    metric, fresh = METRICS[name](), METRICS[name]()
    update(metric, batch(0))
    other = copy.deepcopy(metric)
    metric.reset()
    update(metric, batch(1))
    update(fresh, batch(1))
    assert metric.compute() == fresh.compute()
    assert metric.compute() != other.compute()


@pytest.mark.gpu
@every_metric
def test_gpu_gives_the_value_of_the_cpu(name: str) -> None:
    here, there = METRICS[name](), METRICS[name]().to("cuda")
    for seed in (0, 1):
        update(here, batch(seed))
        update(there, {key: rows.cuda() for key, rows in batch(seed).items()})
    assert float(there.compute()) == pytest.approx(float(here.compute()), abs=1e-12)


@every_metric
def test_shapes_that_differ_raise(name: str) -> None:
    rows = batch(0)
    with pytest.raises(ValueError, match=r"must all be \(B, C\), got \(64, 30\), \(63, 30\)"):
        update(METRICS[name](), rows | {"labels": rows["labels"][1:]})


def test_settings_out_of_range_raise() -> None:
    for build in (GlobalAveragePrecision, partial(MeanAveragePrecision, 3)):
        with pytest.raises(ValueError, match="top_k must be positive"):
            build(top_k=0)
    with pytest.raises(ValueError, match="4 classes, expected 3"):
        MeanAveragePrecision(3).update(torch.zeros(1, 4), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="NaN"):
        MeanAveragePrecision(1).update(torch.full((1, 1), torch.nan), torch.zeros(1, 1))


def test_metrics_of_two_processes_equal_those_of_one(launch: Launch, tmp_path: Path) -> None:
    ranks = [launch(score_as_rank, rank, tmp_path / "meeting") for rank in (0, 1)]
    mine, answer = (rank.result() for rank in ranks)
    assert mine == answer
    for seen, seeds in (("both", (0, 1, 2)), ("one", (0, 1))):
        for name, build in METRICS.items():
            metric = build()
            for seed in seeds:
                update(metric, batch(seed))
            expected = pytest.approx(float(metric.compute()), abs=1e-14)
            assert mine[f"{seen}/{name}"] == expected, (seen, name)
