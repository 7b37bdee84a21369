"""When is a class there? Average precision of intervals, and of every second.

Letters in shapes: N detections, M true intervals, K thresholds, P pairs of a detection and a true
interval, H hits, C classes, T frames.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reeltag.metrics.ranking import average_precision_of_hits, rank_columns, rank_pairs
from reeltag.metrics.state import RankingMetric, comparable

_HALF = 0.5 - 1e-6  # of a frame: 0.1 + 0.4 s are half a second


class TemporalMAP(RankingMetric):
    """Mean over IoU thresholds and classes of the average precision of detected intervals.

    For each threshold and class: go through the detections of all videos by falling score. Each is
    matched to the true interval of its class and video that has the highest temporal IoU
    (intersection / union, in seconds) of those that no detection before it was matched to; it is
    correct if that IoU is at least the threshold, and else a false positive. With M true intervals,
    and precision p_i after the i-th correct detection,

        AP = (1 / M) * sum_i max_{j >= i} p_j,

    the area under the precision-recall curve whose precision is made to never rise with recall, at
    all recalls (Pascal VOC from 2010 on, not its 11 points). A class without true intervals is
    left out of the mean, whatever was detected; one without detections has AP 0. Without any true
    interval the mean is NaN. Equal scores keep their order of arrival; of equal IoUs the true
    interval that arrived first is taken.

    Detections and truth of a video need not arrive together: they are matched in `compute`.

    Source: activitynet/ActivityNet eval_detection.py, with which THUMOS14 is evaluated as well;
    there, ties are in no defined order.
    Memory: 36 bytes per detection, 28 per true interval; in `compute`, some
    100 bytes for each pair of a detection and a true interval of the same video and class.

    Args:
        num_classes: C.
        iou_thresholds: K of them, each in (0, 1].
        **kwargs: those of `torchmetrics.Metric`.
    """

    def __init__(
        self,
        num_classes: int,
        iou_thresholds: Sequence[float] = (0.3, 0.5, 0.7),
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if not iou_thresholds or not all(0 < threshold <= 1 for threshold in iou_thresholds):
            raise ValueError(f"IoU thresholds must be in (0, 1], got {list(iou_thresholds)}")
        self.num_classes, self.iou_thresholds = num_classes, tuple(iou_thresholds)
        self.add_rows("scores", torch.double)
        for kind in ("", "true_"):
            self.add_rows(f"{kind}spans", torch.double, 2)
            self.add_rows(f"{kind}classes", torch.int32)
            self.add_rows(f"{kind}videos", torch.int64)

    def update(
        self,
        scores_N: Tensor,
        spans_N2: Tensor,
        classes_N: Tensor,
        videos_N: Tensor,
        true_spans_M2: Tensor,
        true_classes_M: Tensor,
        true_videos_M: Tensor,
    ) -> None:
        """Add detections and true intervals, of any videos.

        Args:
            scores_N: on any monotone scale.
            spans_N2: start and end of each detection, in seconds.
            classes_N: whole numbers in [0, C).
            videos_N: whole numbers, the same for a video in all batches and ranks.
            true_spans_M2: start and end of each true interval, in seconds.
            true_classes_M: whole numbers in [0, C).
            true_videos_M: whole numbers.

        Raises:
            ValueError: shapes do not fit, an interval does not end after it starts, a class is out
                of range, or a score is NaN.
        """
        if scores_N.isnan().any():
            raise ValueError("a score is NaN: scores must be comparable")
        self._check(spans_N2, classes_N, videos_N, scores_N)
        self._check(true_spans_M2, true_classes_M, true_videos_M)
        self.push("scores", scores_N.detach().double())
        for kind, spans, classes, videos in (
            ("", spans_N2, classes_N, videos_N),
            ("true_", true_spans_M2, true_classes_M, true_videos_M),
        ):
            self.push(f"{kind}spans", spans.detach().double())
            self.push(f"{kind}classes", classes.int())
            self.push(f"{kind}videos", videos.long())

    def average_precision(self) -> Tensor:
        """Return the AP at each threshold of each class, (K, C) float64, NaN without truth.

        Of this rank alone; to have that of all ranks, call it within `metric.sync_context()`.
        """
        scores, classes = self.rows("scores"), self.rows("classes")
        num_true_C = torch.bincount(self.rows("true_classes"), minlength=self.num_classes)
        order = scores.sort(descending=True, stable=True).indices
        rank_N = torch.empty_like(order)
        rank_N[order] = torch.arange(len(order), device=order.device)
        pairs = _pairs(self._keys(), self.rows("spans"), self.rows("true_spans"))
        found = []
        for threshold in self.iou_thresholds:
            correct_N = _matched(*pairs, rank_N, threshold)
            ranking = rank_pairs(scores, correct_N, classes)
            ranks_H = ranking.places - ranking.firsts + 1
            found.append(_interpolated(ranks_H, ranking.lists, num_true_C))
        return torch.stack(found)

    def per_class(self) -> Tensor:
        """Return the mean over thresholds, (C,) float64; as `average_precision`."""
        return self.average_precision().mean(dim=0)

    def per_threshold(self) -> Tensor:
        """Return the mean over classes with truth, (K,) float64; as `average_precision`."""
        return self.average_precision().nanmean(dim=1)

    def compute(self) -> Tensor:
        """Return the mean over thresholds and classes with truth, a scalar in [0, 1] or NaN."""
        return self.per_threshold().mean()

    def _keys(self) -> tuple[Tensor, Tensor]:
        """Return one number for class and video, of each detection (N,) and true interval (M,)."""
        videos, truths = self.rows("videos"), self.rows("true_videos")
        numbers = torch.cat([videos, truths]).unique(return_inverse=True)[1]
        classes = torch.cat([self.rows("classes"), self.rows("true_classes")])
        keys = numbers * self.num_classes + classes
        return keys[: len(videos)], keys[len(videos) :]

    def _check(self, spans: Tensor, classes: Tensor, videos: Tensor, *others: Tensor) -> None:
        columns = (classes, videos, *others)
        if spans.shape != (len(spans), 2) or any(c.shape != (len(spans),) for c in columns):
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (spans, *columns))
            raise ValueError(f"spans must be (N, 2) and all else (N,), got {shapes}")
        if not (spans.isfinite().all() and (spans[:, 1] > spans[:, 0]).all()):
            raise ValueError("an interval must be finite, and end after it starts")
        if ((classes < 0) | (classes >= self.num_classes)).any():
            raise ValueError(f"a class must be in [0, {self.num_classes})")


class PerSecondAP(RankingMetric):
    """Mean over classes of the average precision of a class's ranking of all frames.

    Frame k covers [k / rate, (k + 1) / rate) seconds, the last one of a video perhaps less. It is
    positive for a class if the class's true intervals together cover at least half of it. With
    `rate` = 1 frames are seconds. Every score is ranked, none is binned, and the AP of a class is

        AP = (1 / positives) * sum over positive frames of (positives up to here) / (frames up to
        here),

    not interpolated. Classes without a positive frame are left out of the mean; without any, it is
    NaN. Equal scores keep their order of arrival.

    Memory: 5 bytes x frames x classes.

    Args:
        num_classes: C.
        rate: frames/s.
        **kwargs: those of `torchmetrics.Metric`.
    """

    def __init__(self, num_classes: int, rate: float = 1.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not rate > 0:
            raise ValueError(f"rate must be above 0 frames/s, got {rate}")
        self.num_classes, self.rate = num_classes, rate
        self.add_rows("scores", torch.float32, num_classes)
        self.add_rows("hits", torch.uint8, num_classes)

    def update(
        self,
        scores_TC: Tensor,
        true_spans_M2: Tensor,
        true_classes_M: Tensor,
        duration_s: float | None = None,
    ) -> None:
        """Add one video: the scores of its frames, and its true intervals.

        Args:
            scores_TC: (T, C) on any monotone scale; -inf = never found.
            true_spans_M2: start and end in seconds; what is beyond the frames does not count.
            true_classes_M: whole numbers in [0, C).
            duration_s: where the last frame ends, in ((T - 1) / rate, T / rate]; None = T / rate.

        Raises:
            ValueError: C is not `num_classes`, a score is NaN, the intervals do not fit, or the
                duration is another number of frames.
        """
        if scores_TC.ndim != 2 or scores_TC.shape[1] != self.num_classes:
            shape = tuple(scores_TC.shape)
            raise ValueError(f"scores must be (T, {self.num_classes}), got {shape}")
        if scores_TC.isnan().any():
            raise ValueError("a score is NaN: scores must be comparable")
        covered_TC = covered_fraction(
            true_spans_M2.double() * self.rate,
            true_classes_M.long(),
            tuple(scores_TC.shape),
            None if duration_s is None else duration_s * self.rate,
        )
        self.push("scores", comparable(scores_TC))
        self.push("hits", (covered_TC >= _HALF).to(scores_TC.device, torch.uint8))

    def per_class(self) -> Tensor:
        """Return the average precision of every class, (C,) float64, NaN without positive frames.

        Of this rank alone; to have that of all ranks, call it within `metric.sync_context()`.
        """
        hits = self.rows("hits") > 0
        ranks_H, classes_H = rank_columns(self.rows("scores"), hits)
        return average_precision_of_hits(ranks_H, classes_H, hits.sum(dim=0))

    def compute(self) -> Tensor:
        """Return the mean over classes with positive frames, a scalar in [0, 1] or NaN."""
        return self.per_class().nanmean()


def covered_fraction(
    spans_M2: Tensor, classes_M: Tensor, shape: tuple[int, ...], end: float | None = None
) -> Tensor:
    """Return (T, C) float64, the fraction of each frame that a class's intervals cover together.

    Args:
        spans_M2: start and end, in frames; they may overlap.
        classes_M: int64.
        shape: T, C.
        end: where the last frame ends, in frames; None = T.
    """
    num_frames, num_classes = shape
    end = num_frames if end is None else end
    if not num_frames - 1 < end <= num_frames + 1e-6:
        raise ValueError(f"a video that lasts {end:g} frames has no {num_frames} of them")
    if spans_M2.shape != (len(classes_M), 2) or not (spans_M2[:, 1] > spans_M2[:, 0]).all():
        raise ValueError("true intervals must be (M, 2), and end after they start")
    if ((classes_M < 0) | (classes_M >= num_classes)).any():
        raise ValueError(f"a class must be in [0, {num_classes})")
    covered_TC = torch.zeros(num_frames, num_classes, dtype=torch.double)
    order = spans_M2[:, 0].sort(stable=True).indices
    reached = torch.zeros(num_classes, dtype=torch.double).tolist()  # by the intervals before
    rows = zip(spans_M2[order].tolist(), classes_M[order].tolist(), strict=True)
    for (first, last), number in rows:
        first, last = max(first, reached[number]), min(last, float(end))
        if last > first:
            reached[number] = last
            frames = torch.arange(int(first), min(num_frames, int(last) + 1), dtype=torch.double)
            overlap = (frames + 1).clamp(max=last) - frames.clamp(min=first)
            covered_TC[int(first) : int(first) + len(frames), number] += overlap.clamp(min=0)
    covered_TC[-1:] /= end - (num_frames - 1)
    return covered_TC


def _pairs(
    keys: tuple[Tensor, Tensor], spans_N2: Tensor, true_spans_M2: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the pairs of a detection and a true interval of the same video and class.

    These are the detection, the true interval and the IoU of each pair, (P,); and the keys (N,).
    """
    keys_N, keys_M = keys
    sorted_M, order_M = keys_M.sort(stable=True)
    low_N = torch.searchsorted(sorted_M, keys_N)
    counts_N = torch.searchsorted(sorted_M, keys_N, right=True) - low_N
    found_P = torch.arange(len(keys_N), device=keys_N.device).repeat_interleave(counts_N)
    place_P = torch.arange(len(found_P), device=keys_N.device)
    true_P = order_M[place_P + (low_N - (counts_N.cumsum(0) - counts_N))[found_P]]
    spans, truth = spans_N2[found_P], true_spans_M2[true_P]
    both = torch.minimum(spans[:, 1], truth[:, 1]) - torch.maximum(spans[:, 0], truth[:, 0])
    both = both.clamp(min=0)
    either = (spans[:, 1] - spans[:, 0]) + (truth[:, 1] - truth[:, 0]) - both
    return found_P, true_P, both / either, keys_N


def _matched(
    found_P: Tensor,
    true_P: Tensor,
    iou_P: Tensor,
    keys_N: Tensor,
    rank_N: Tensor,
    threshold: float,
) -> Tensor:
    """Return (N,) which detections are matched, the best first.

    Detections of different videos or classes do not compete: the best of each group is matched,
    then the second of each, and so on.
    """
    kept = (iou_P >= threshold).nonzero().squeeze(1)
    kept = kept[iou_P[kept].sort(descending=True, stable=True).indices]
    kept = kept[rank_N[found_P[kept]].sort(stable=True).indices]
    rivals, of_pair = found_P[kept].unique_consecutive(return_inverse=True)
    by_key = keys_N[rivals].sort(stable=True)
    turn = torch.empty_like(rivals)  # the place of each among those of its group
    place = torch.arange(len(rivals), device=rivals.device)
    turn[by_key.indices] = place - torch.searchsorted(by_key.values, by_key.values)
    turn_P, order = turn[of_pair].sort(stable=True)
    kept = kept[order]
    matched_N = torch.zeros_like(keys_N, dtype=torch.bool)
    taken_M = torch.zeros(int(true_P.max()) + 1 if len(true_P) else 0, dtype=torch.bool)
    taken_M = taken_M.to(keys_N.device)
    for pairs in kept.split(torch.bincount(turn_P).tolist()):
        free = pairs[~taken_M[true_P[pairs]]]
        first = torch.ones_like(free, dtype=torch.bool)
        first[1:] = found_P[free[1:]] != found_P[free[:-1]]
        best = free[first]
        taken_M[true_P[best]] = True
        matched_N[found_P[best]] = True
    return matched_N


def _interpolated(ranks_H: Tensor, classes_H: Tensor, num_true_C: Tensor) -> Tensor:
    """Return (C,) the interpolated AP of hits that have the ranks 1, 2, ... in their class."""
    counts_C = torch.bincount(classes_H, minlength=len(num_true_C))
    number_H = torch.arange(1, len(ranks_H) + 1, device=ranks_H.device)
    seen_H = number_H - (counts_C.cumsum(0) - counts_C)[classes_H]
    precision_H = seen_H.double() / ranks_H
    best = [
        part.flip(0).cummax(0).values.flip(0) if len(part) else part
        for part in precision_H.split(counts_C.tolist())
    ]
    total_C = torch.zeros_like(num_true_C, dtype=torch.double)
    total_C.index_add_(0, classes_H, torch.cat(best))
    return torch.where(num_true_C > 0, total_C / num_true_C, torch.nan)
