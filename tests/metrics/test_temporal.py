"""Temporal mAP and per-second AP: worked by hand, against plain loops, and as one of two ranks."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reeltag.metrics import PerSecondAP, TemporalMAP
from reeltag.metrics.temporal import covered_fraction
from tests.metrics import slow
from tests.processes import Launch

Detection: TypeAlias = tuple[float, float, float, int, int]  # score, start, end, class, video
Truth: TypeAlias = tuple[float, float, int, int]  # start, end, class, video


def columns(rows: list[Detection] | list[Truth], width: int) -> list[Tensor]:
    table = torch.tensor(rows, dtype=torch.double).reshape(-1, width)
    scores = [table[:, 0]] if width == 5 else []
    return [*scores, table[:, width - 4 : width - 2], table[:, width - 2].int(), table[:, -1].int()]


def update(metric: TemporalMAP, found: list[Detection], truth: list[Truth]) -> None:
    metric.update(*columns(found, 5), *columns(truth, 4))


def precision_of(
    found: list[Detection], truth: list[Truth], thresholds: tuple[float, ...], classes: int = 1
) -> np.ndarray:
    metric = TemporalMAP(classes, thresholds)
    update(metric, found, truth)
    return metric.average_precision().numpy()


def iou(a: Detection, b: Truth) -> float:
    both = max(0.0, min(a[2], b[1]) - max(a[1], b[0]))
    return both / ((a[2] - a[1]) + (b[1] - b[0]) - both)


def plain_precision(found: list[Detection], truth: list[Truth], threshold: float) -> float:
    """Return the AP of one class, detection by detection."""
    taken: set[int] = set()
    hits = []
    for number in slow.order([row[0] for row in found]):
        row = found[number]
        best, best_iou = -1, 0.0
        for place, true in enumerate(truth):
            free = true[3] == row[4] and place not in taken and iou(row, true) >= threshold
            if free and iou(row, true) > best_iou:
                best, best_iou = place, iou(row, true)
        taken |= {best} - {-1}
        hits.append(best >= 0)
    total, precision = 0.0, [sum(hits[: k + 1]) / (k + 1) for k in range(len(hits))]
    for k, hit in enumerate(hits):
        total += max(precision[k:]) if hit else 0.0
    return total / len(truth)


def test_temporal_map_worked_by_hand() -> None:
    truth: list[Truth] = [(0, 10, 0, 0), (20, 30, 0, 0), (0, 10, 0, 1)]
    found: list[Detection] = [
        (0.9, 0, 6, 0, 0),  # 6 of 10 s: correct at 0.5, not at 0.7
        (0.8, 50, 60, 0, 0),  # nothing there
        (0.7, 1, 10, 0, 0),  # 0.9 of the first: correct only where that is still free
        (0.6, 2, 10, 0, 1),  # 0.8 of the interval in the other video
    ]
    # at 0.5: correct, wrong, wrong, correct: precision 1 and 2 / 4; one of three is not found
    # at 0.7: wrong, wrong, correct, correct: precision 1 / 3 and 2 / 4, of which the best counts
    expected = [[(1 + 2 / 4) / 3], [(2 / 4 + 2 / 4) / 3]]
    np.testing.assert_allclose(precision_of(found, truth, (0.5, 0.7)), expected)
    metric = TemporalMAP(1, (0.5, 0.7))
    update(metric, found, truth)
    np.testing.assert_allclose(metric.per_threshold(), [0.5, 1 / 3])
    assert float(metric.compute()) == pytest.approx((0.5 + 1 / 3) / 2)


def test_detection_is_matched_to_the_best_interval_that_is_free() -> None:
    truth: list[Truth] = [(0, 10, 0, 0), (4, 12, 0, 0)]
    first, second = (0.9, 2, 12, 0, 0), (0.8, 3, 12, 0, 0)
    # both overlap the second interval most, 0.8 and 0.89; the first to come takes it
    ious = [[iou(row, true) for true in truth] for row in (first, second)]
    np.testing.assert_allclose(ious, [[8 / 12, 8 / 10], [7 / 12, 8 / 9]])
    assert precision_of([first, second], truth, (0.5,)) == 1  # the other one gets what is left
    assert precision_of([first, second], truth, (0.6,)) == 0.5


def test_equal_scores_and_overlaps_keep_their_order() -> None:
    truth: list[Truth] = [(0, 2, 0, 0), (4, 6, 0, 0)]
    wrong, right = (0.5, 10, 12, 0, 0), (0.5, 0, 2, 0, 0)
    assert precision_of([right, wrong], truth, (0.5,)) == 0.5
    assert precision_of([wrong, right], truth, (0.5,)) == 0.25
    between = (0.9, 1, 5, 0, 0)  # 1 s of both
    assert precision_of([between, (0.8, 4, 6, 0, 0)], truth, (0.2,)) == 1
    assert precision_of([between, (0.8, 0, 2, 0, 0)], truth, (0.2,)) == 0.5


def test_classes_without_truth_do_not_count() -> None:
    found: list[Detection] = [(0.9, 0, 1, 0, 0), (0.9, 0, 1, 1, 0)]
    metric = TemporalMAP(4, (0.5,))
    update(metric, found, [(0, 1, 0, 0), (0, 1, 2, 0)])
    np.testing.assert_array_equal(metric.per_class(), [1, np.nan, 0, np.nan])
    assert metric.compute() == 0.5
    nothing = TemporalMAP(4)
    update(nothing, found, [])
    assert nothing.compute().isnan()
    missed = TemporalMAP(4)
    update(missed, [], [(0, 1, 0, 0)])
    assert missed.compute() == 0


tenths = st.integers(0, 40).map(lambda tenth: tenth / 4)
spans = st.tuples(tenths, st.integers(1, 16)).map(lambda s: (s[0], s[0] + s[1] / 4))
groups = st.tuples(st.integers(0, 2), st.integers(0, 2))
detections = st.tuples(st.integers(0, 5), spans, groups).map(lambda d: (d[0] / 8, *d[1], *d[2]))
truths = st.tuples(spans, groups).map(lambda t: (*t[0], *t[1]))


@settings(max_examples=40, deadline=None)
@given(found=st.lists(detections, max_size=25), truth=st.lists(truths, max_size=12), cut=st.data())
def test_temporal_map_equals_plain_loop_whatever_the_batches(
    found: list[Detection], truth: list[Truth], cut: st.DataObject
) -> None:
    thresholds = (0.2, 0.5, 0.75)
    metric = TemporalMAP(3, thresholds)
    middle = cut.draw(st.integers(0, len(found))), cut.draw(st.integers(0, len(truth)))
    update(metric, found[: middle[0]], truth[: middle[1]])
    update(metric, found[middle[0] :], truth[middle[1] :])
    expected = [
        [
            plain_precision([f for f in found if f[3] == c], mine, threshold) if mine else np.nan
            for c in range(3)
            for mine in [[t for t in truth if t[2] == c]]
        ]
        for threshold in thresholds
    ]
    np.testing.assert_allclose(metric.average_precision(), expected, rtol=0, atol=1e-12)


def test_temporal_map_checks_its_input() -> None:
    with pytest.raises(ValueError, match=r"IoU thresholds must be in \(0, 1\], got \[0.0\]"):
        TemporalMAP(1, (0.0,))
    metric = TemporalMAP(1)
    for found, message in (
        ((0.5, 1, 1, 0, 0), "end after it starts"),
        ((0.5, 0, np.inf, 0, 0), "finite"),
        ((0.5, 0, 1, 1, 0), r"a class must be in \[0, 1\)"),
        ((np.nan, 0, 1, 0, 0), "a score is NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            update(metric, [found], [])
    one, two = torch.ones(1), torch.tensor([[0.0, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"got \(2, 2\), \(1,\), \(1,\), \(1,\)"):
        metric.update(one, two, one, one, *columns([], 4))


def test_per_second_ap_worked_by_hand() -> None:
    metric = PerSecondAP(3)
    scores = torch.tensor([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.7, 0.3, 0], [0.6, 0.4, 0]])
    spans = torch.tensor([[0.0, 0.4], [0.3, 0.5], [1.6, 3.0], [2.5, 9.0]])
    metric.update(scores, spans, torch.tensor([0, 0, 0, 1]))
    # class 0: second 0 is half covered by both together, 1 is not, 2 is: ranks 1 and 3
    # class 1: half of second 2, and 3: ranks 1 and 2
    np.testing.assert_allclose(metric.per_class(), [(1 + 2 / 3) / 2, 1, np.nan])
    assert float(metric.compute()) == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)


def test_last_frame_counts_for_what_the_video_has_of_it() -> None:
    scores, span, none = torch.tensor([[0.1], [0.2], [0.9]]), torch.tensor([[2.0, 2.3]]), [0]
    for duration, expected in ((2.4, 1.0), (2.6, 1.0), (2.7, np.nan), (None, np.nan)):
        metric = PerSecondAP(1)
        metric.update(scores, span, torch.tensor(none), duration)
        assert float(metric.compute()) == pytest.approx(expected, nan_ok=True)
    with pytest.raises(ValueError, match="lasts 2 frames has no 3"):
        PerSecondAP(1).update(scores, span, torch.tensor(none), 2.0)


def test_frames_at_another_rate_are_other_times() -> None:
    metric = PerSecondAP(1, rate=2)
    metric.update(
        torch.tensor([[0.1], [0.2], [0.9], [0.3]]), torch.tensor([[1, 1.5]]), torch.tensor([0])
    )
    assert metric.compute() == 1


@settings(max_examples=40, deadline=None)
@given(
    truth=st.lists(st.tuples(spans, st.integers(0, 1)), max_size=6),
    scores=st.lists(st.integers(0, 9), min_size=24, max_size=24),
    rate=st.sampled_from([0.5, 1.0, 2.0]),
    cut=st.integers(1, 11),
)
def test_per_second_ap_equals_plain_loop_whatever_the_batches(
    truth: list[tuple[tuple[float, float], int]], scores: list[int], rate: float, cut: int
) -> None:
    table = torch.tensor(scores, dtype=torch.float32).reshape(12, 2)
    metric = PerSecondAP(2, rate)
    for first, last in ((0, cut), (cut, 12)):  # as two videos
        part = [((a - first / rate, b - first / rate), c) for (a, b), c in truth]
        part = [((max(a, 0.0), b), c) for (a, b), c in part if b > max(a, 0.0)]
        table_of = torch.tensor([span for span, _ in part], dtype=torch.double).reshape(-1, 2)
        metric.update(table[first:last], table_of, torch.tensor([c for _, c in part]).long())
    expected = []
    for number in range(2):
        hits = []
        for frame in range(12):
            parts = np.arange(frame, frame + 1, 1 / 32) + 1 / 64  # bounds are at quarters
            inside = [
                any(a * rate <= t < b * rate for (a, b), c in truth if c == number) for t in parts
            ]
            hits.append(sum(inside) >= 16)
        mine = table[:, number].tolist()
        expected.append(slow.ranked_precision(mine, hits, sum(hits)) if any(hits) else np.nan)
    np.testing.assert_allclose(metric.per_class(), expected, rtol=0, atol=1e-12)


def test_covered_fraction_counts_overlapping_intervals_once() -> None:
    spans = torch.tensor([[0.5, 2.25], [0.0, 1.0], [2.0, 2.5]], dtype=torch.double)
    found = covered_fraction(spans, torch.tensor([0, 0, 0]), (3, 1))
    assert found[:, 0].tolist() == [1, 1, 0.5]


def test_per_second_ap_checks_its_input() -> None:
    metric, one = PerSecondAP(2), torch.tensor([0])
    with pytest.raises(ValueError, match=r"scores must be \(T, 2\)"):
        metric.update(torch.zeros(3, 1), torch.tensor([[0.0, 1]]), one)
    with pytest.raises(ValueError, match="NaN"):
        metric.update(torch.full((3, 2), torch.nan), torch.tensor([[0.0, 1]]), one)
    with pytest.raises(ValueError, match="end after they start"):
        metric.update(torch.zeros(3, 2), torch.tensor([[1.0, 1]]), one)
    with pytest.raises(ValueError, match=r"in \[0, 2\)"):
        metric.update(torch.zeros(3, 2), torch.tensor([[0.0, 1]]), one + 2)
    with pytest.raises(ValueError, match="above 0"):
        PerSecondAP(2, rate=0)


def rows_of_rank(rank: int) -> tuple[list[Detection], list[Truth]]:
    draw = np.random.default_rng(rank)
    starts, lengths = draw.integers(0, 20, 30), draw.integers(1, 9, 30)
    rows = [
        (float(s), float(s + n), int(draw.integers(2)), int(draw.integers(4)))
        for s, n in zip(starts, lengths, strict=True)
    ]
    return [(float(draw.integers(9)), *row) for row in rows[:20]], rows[20:]


def score_as_rank(rank: int, meeting: Path) -> list[float]:
    """Be one of two processes; of the second pair of metrics rank 1 sees nothing."""
    address = f"file://{meeting}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    found = []
    for seen in (2, 1):
        interval, second = TemporalMAP(2), PerSecondAP(2)
        if rank < seen:
            update_both(interval, second, rank)
        found += [float(interval.compute()), float(second.compute())]
    torch.distributed.destroy_process_group()
    return found


def update_both(interval: TemporalMAP, second: PerSecondAP, rank: int) -> None:
    detections, truth = rows_of_rank(rank)
    update(interval, detections, truth)
    scores = torch.rand(30, 2, generator=torch.Generator().manual_seed(rank))
    spans, classes, _ = columns(truth, 4)
    second.update(scores, spans, classes)


def test_temporal_map_of_two_ranks_equals_that_of_one(tmp_path: Path, launch: Launch) -> None:
    expected = []
    for seen in (2, 1):
        interval, second = TemporalMAP(2), PerSecondAP(2)
        for rank in range(seen):
            update_both(interval, second, rank)
        expected += [float(interval.compute()), float(second.compute())]
    runs = [launch(score_as_rank, rank, tmp_path / "meet") for rank in range(2)]
    for run in runs:
        assert run.result() == pytest.approx(expected, abs=1e-12)
