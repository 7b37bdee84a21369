"""Every metric gives the starter's numbers on the cases that were run through the starter.

Tolerance: 1e-12 where labels are 0 and 1. The starter adds precision by precision in float64,
which costs it up to 3e-15 on these sizes (m13: 0.99...978 for 1). With soft labels it sums them
in float32, to about 1e-7 relative, and NumPy 1 and 2 already differ by as much: 1e-6 there.
With ties the starter's value is a draw of lots; there ours must lie between the worst and the best
draw, and be the value of our own rule.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.metrics import (
    GlobalAveragePrecision,
    HitAtOne,
    MeanAveragePrecision,
    PrecisionAtEqualRecallRate,
)
from reeltag.metrics.ranking import average_precision
from tests.conftest import golden_file, golden_files
from tests.metrics import slow
from tests.metrics.golden import Case, read_case

pytestmark = pytest.mark.golden
FILES = [path for path in golden_files("metrics/*.npz") if path.stem != "m30_average_precision"]
every_case = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def tolerance(case: Case) -> float:
    return 1e-6 if case.soft else 1e-12


@every_case
def test_gap(path: Path) -> None:
    case = read_case(path)
    for name in [key for key in case.arrays if key.startswith(("out.gap", "out.em.gap"))]:
        tail = name.partition("gap_top")[2]
        gap = GlobalAveragePrecision(int(tail) if tail else case.top_k)
        for scores, labels in case.batches if "em" in name else [(case.scores, case.labels)]:
            gap.update(scores, labels)
        value = float(gap.compute())
        if not case.tied:
            assert value == pytest.approx(case[name], abs=tolerance(case)), name
        elif not tail:
            assert case["check.gap_tie_min"] <= value <= case["check.gap_tie_max"], name


@every_case
def test_hit_at_one(path: Path) -> None:
    case, hit = read_case(path), HitAtOne()
    for scores, labels in case.batches:
        hit.update(scores, labels)
    slack = 1e-12 if case.labels.dtype == torch.bool else 1e-7  # its mean has the labels' type
    assert float(hit.compute()) == pytest.approx(case["out.hit_at_one"], abs=slack)
    assert float(hit.compute()) == pytest.approx(case["out.em.avg_hit_at_one"], abs=slack)


@every_case
def test_perr_by_the_rule_of_the_starter(path: Path) -> None:
    case, perr = read_case(path), PrecisionAtEqualRecallRate(above=0)
    for scores, labels in case.batches:
        perr.update(scores, labels)
    low, high = draws_of_perr(case)
    slack = tolerance(case)
    assert low - slack <= float(perr.compute()) <= high + slack
    assert low - slack <= case["out.perr"] <= high + slack  # the bounds themselves are right
    if low == high:
        assert float(perr.compute()) == pytest.approx(case["out.perr"], abs=slack)


def draws_of_perr(case: Case) -> tuple[float, float]:
    """Return the lowest and the highest PERR over all ways to break ties at the cut."""
    low = high = 0.0
    for row, truth in zip(case.scores.numpy(), case.labels.numpy().astype(float), strict=True):
        n = int(truth.sum()) or len(row)
        last = np.partition(row, len(row) - n)[len(row) - n]
        counted = np.where(row > 0, truth, 0)
        sure, tied = counted[row > last].sum(), np.sort(counted[row == last])
        room = n - int((row > last).sum())
        low += (sure + tied[:room].sum()) / n
        high += (sure + tied[len(tied) - room :].sum()) / n
    return low / len(case.scores), high / len(case.scores)


@every_case
def test_perr_of_logits_is_that_of_their_probabilities(path: Path) -> None:
    case = read_case(path)
    scores, labels = case.scores[:500].double(), case.labels[:500]
    ours, starter = PrecisionAtEqualRecallRate(), PrecisionAtEqualRecallRate(above=0)
    ours.update(scores - 3, labels)
    starter.update((scores - 3).sigmoid(), labels)
    torch.testing.assert_close(ours.compute(), starter.compute(), rtol=0, atol=1e-12)


@every_case
def test_average_precision_of_each_class_by_top_k(path: Path) -> None:
    case = read_case(path)
    metric = MeanAveragePrecision(case.scores.shape[1], top_k=case.top_k)
    for scores, labels in case.batches:
        metric.update(scores, labels)
    value = metric.per_class()
    present = value.isnan().logical_not().nonzero().squeeze(1)
    assert present.tolist() == case.arrays["out.em.ap_class_ids"].tolist()
    mean = float(metric.compute())
    if not case.tied:
        expected = case.arrays["out.em.aps"]
        np.testing.assert_allclose(value[present].numpy(), expected, rtol=0, atol=tolerance(case))
        assert mean == pytest.approx(case["out.em.map"], abs=tolerance(case), nan_ok=True)


@every_case
def test_ties_keep_their_order_of_arrival(path: Path) -> None:
    case = read_case(path)
    rows = slice(0, 300)  # the slow definition needs its time
    scores, labels = case.scores[rows], case.labels[rows]
    gap = GlobalAveragePrecision(case.top_k)
    perr = PrecisionAtEqualRecallRate()
    metric = MeanAveragePrecision(scores.shape[1], top_k=case.top_k)
    for part in torch.arange(len(scores)).split(7):
        for each in (gap, perr, metric):
            each.update(scores[part], labels[part])
    positives = float(labels.double().sum())
    expected = slow.gap(scores, labels, case.top_k) if positives else 0
    assert float(gap.compute()) == pytest.approx(expected, abs=tolerance(case))
    assert float(perr.compute()) == pytest.approx(slow.perr(scores, labels), abs=tolerance(case))
    if scores.shape[1] < 1000:
        reference = slow.class_precision(scores, labels, case.top_k)
        np.testing.assert_allclose(metric.per_class().numpy(), reference, rtol=0, atol=1e-6)


def test_average_precision_of_one_list() -> None:
    with np.load(golden_file("metrics/m30_average_precision.npz")) as stored:
        cases = sorted(name.removeprefix("out.") for name in stored.files if "out." in name)
        assert cases
        for name in cases:
            scores = torch.from_numpy(stored[f"in.{name}.scores"])
            hits = torch.from_numpy(stored[f"in.{name}.actuals"])
            top_n, positives = (
                int(stored[f"in.{name}.{key}"]) for key in ("top_n", "num_positives")
            )
            options = {
                "top_n": None if top_n < 0 else top_n,
                "num_positives": None if positives < 0 else positives,
            }
            if top_n == 0:  # where the starter crashes
                with pytest.raises(ValueError, match="top_n must be positive"):
                    average_precision(scores, hits, **options)
                continue
            value = average_precision(scores, hits, **options)
            assert value == pytest.approx(float(stored[f"out.{name}"]), abs=1e-12), name
