"""MAP@K, the metric of the 2019 challenge: do a class's best segments show it?"""

from typing import Literal

import torch
from torch import Tensor

from reeltag.metrics.ranking import average_precision_of_hits, rank_columns, rank_pairs
from reeltag.metrics.state import RankingMetric, check_batch, comparable

AverageOver = Literal["listed", "rated"]
_UNRATED, _POSITIVE = 0, 2  # 1: rated, and not there
_SPARSE = 8  # from so many pairs per rated one on, the rated ones are ranked by themselves


class SegmentMeanAveragePrecision(RankingMetric):
    """Mean over classes of the average precision of a class's K best segments.

    For each class: take all its segments by falling score, cut the list to K, *then* drop those
    that are unrated for the class. Unrated segments are never errors, they only use up places.
    With y_1, y_2, ... the ratings of the rest and N the class's rated positives, listed or not,

        AP = (1 / N) * sum_i [y_i > 0] * (positives among y_1 ... y_i) / i.

    The mean is over all classes with a rated positive, as the challenge defines it; one of which no
    segment is listed has AP = 0. Equal scores keep their order of arrival.

    Source: google/youtube-8m segment_eval_inference.py (HEAD crashes on its own header, on classes
    without a positive and, in Python 3, matches no id).
    Memory: 5 bytes x segments x classes. With `k=None` only rated pairs are kept, 9 bytes each:
    the same value wherever no class has more than K segments, as in validation while training.

    Args:
        num_classes: C.
        k: K; None = lists are not cut.
        average_over: "rated" = every class with a rated positive, as Kaggle, where all 1000 had
            one; "listed" = of these the classes with a score above -inf, as the script, which
            leaves out classes that are missing from the file.
        **kwargs: those of `torchmetrics.Metric`.
    """

    def __init__(
        self,
        num_classes: int,
        k: int | None = 100_000,
        average_over: AverageOver = "rated",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if k is not None and k < 1:
            raise ValueError(f"k must be positive or None, got {k}")
        self.k, self.average_over = k, average_over
        width = None if k is None else num_classes
        self.add_rows("scores", torch.float32, width)
        self.add_rows("verdicts", torch.uint8, width)
        if k is None:
            self.add_rows("classes", torch.int32)
        self.add_sum("num_positives", num_classes)
        self.add_sum("num_listed", num_classes)
        self.num_positives: Tensor
        self.num_listed: Tensor

    def update(self, scores_BC: Tensor, labels_BC: Tensor, weights_BC: Tensor) -> None:
        """Add a batch of segments.

        Args:
            scores_BC: (B, C) on any monotone scale; -inf = the class's list lacks the segment.
            labels_BC: (B, C), positive where > 0.
            weights_BC: (B, C), 0 where the segment is unrated for the class, else > 0.

        Raises:
            ValueError: the shapes differ or C is not `num_classes`, or a score is NaN.
        """
        check_batch(scores_BC, labels_BC, weights_BC)
        if scores_BC.shape[1] != len(self.num_positives):
            raise ValueError(f"{scores_BC.shape[1]} classes, expected {len(self.num_positives)}")
        scores, rated = comparable(scores_BC), weights_BC > 0
        if scores.isnan().any():
            raise ValueError("a score is NaN: scores must be comparable")
        positive, listed = rated & (labels_BC > 0), scores > -torch.inf
        verdicts = rated.to(torch.uint8) + positive.to(torch.uint8)
        self.num_positives += positive.sum(dim=0)
        self.num_listed += listed.sum(dim=0)
        if self.k is None:
            kept = rated & listed
            self.push("classes", kept.nonzero()[:, 1].int())
            scores, verdicts = scores[kept], verdicts[kept]
        self.push("scores", scores)
        self.push("verdicts", verdicts)

    def per_class(self) -> Tensor:
        """Return the average precision of every class, (C,) float64, NaN without rated positives.

        Of this rank alone; to have that of all ranks, call it within `metric.sync_context()`.
        """
        scores, verdicts = self.rows("scores"), self.rows("verdicts")
        hits = verdicts == _POSITIVE
        if self.k is None:
            ranking = rank_pairs(scores, hits, self.rows("classes"))
            return ranking.average_precision(self.num_positives)
        rated = verdicts != _UNRATED
        if len(scores) <= self.k and _SPARSE * int(rated.count_nonzero()) < rated.numel():
            kept = (rated & (scores > -torch.inf)).nonzero()  # none is cut: only these take ranks
            found = tuple(kept.T)
            ranking = rank_pairs(scores[found], hits[found], found[1])
            return ranking.average_precision(self.num_positives)
        ranks_H, classes_H = rank_columns(scores, hits, None if rated.all() else rated, self.k)
        return average_precision_of_hits(ranks_H, classes_H, self.num_positives)

    def compute(self) -> Tensor:
        """Return MAP@K, a float64 scalar in [0, 1]; NaN where no class has a rated positive."""
        return mean_over_classes(self.per_class(), self.num_listed > 0, self.average_over)


def mean_over_classes(precision_C: Tensor, listed_C: Tensor, average_over: AverageOver) -> Tensor:
    """Return the mean of (C,) average precisions that are not NaN, over listed classes or all."""
    if average_over == "listed":
        precision_C = precision_C.where(listed_C, torch.nan)
    return precision_C.nanmean()
