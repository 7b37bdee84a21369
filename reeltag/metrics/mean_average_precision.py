"""Mean average precision over classes (mAP), of whole rankings or of each video's top k."""

import torch
from torch import Tensor

from reeltag.metrics.ranking import (
    average_precision_of_hits,
    best_columns,
    rank_columns,
    rank_pairs,
)
from reeltag.metrics.state import RankingMetric, check_batch, comparable


class MeanAveragePrecision(RankingMetric):
    """Mean over classes of the average precision of a class's ranking of the videos.

    With `top_k`, only a video's k best classes enter the rankings, as in the starter (k = 20); a
    positive outside them still counts in the divisor of its class. `top_k=None` ranks every video
    for every class: the mAP of the literature (AudioSet). Classes without positives are left out
    of the mean (the starter since May 2019; before, they counted as 0); a class that is never
    among the top k has AP 0 and counts. Without any positive the mean is NaN. Soft labels: any
    label > 0 is a hit, the divisor is their sum. Equal scores keep their order of arrival.

    Source: google/youtube-8m mean_average_precision_calculator.py, eval_util.py.
    Memory: with `top_k`, 9 bytes x videos x k; without, 5 bytes x videos x classes.

    Args:
        num_classes: C.
        top_k: how many classes of a video enter; None = all.
        **kwargs: those of `torchmetrics.Metric`.
    """

    def __init__(self, num_classes: int, top_k: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be positive or None, got {top_k}")
        self.top_k = top_k
        width = num_classes if top_k is None else None
        self.add_rows("scores", torch.float32, width)
        self.add_rows("hits", torch.uint8, width)
        if top_k is not None:
            self.add_rows("classes", torch.int32)
        self.add_sum("num_positives", num_classes)
        self.num_positives: Tensor

    def update(self, scores_BC: Tensor, labels_BC: Tensor) -> None:
        """Add a batch: scores (B, C) on any monotone scale, labels (B, C) in [0, 1].

        Args:
            scores_BC: on any monotone scale.
            labels_BC: in [0, 1].

        Raises:
            ValueError: the shapes differ or C is not `num_classes`, or a score is NaN.
        """
        check_batch(scores_BC, labels_BC)
        if scores_BC.shape[1] != len(self.num_positives):
            raise ValueError(f"{scores_BC.shape[1]} classes, expected {len(self.num_positives)}")
        scores, hits = comparable(scores_BC), (labels_BC > 0).to(torch.uint8)
        if self.top_k is None:
            if scores.isnan().any():
                raise ValueError("a score is NaN: scores must be comparable")
        else:
            best_BK, columns_BK = best_columns(scores, self.top_k)
            scores, hits = best_BK.flatten(), hits.gather(1, columns_BK).flatten()
            self.push("classes", columns_BK.flatten().int())
        self.push("scores", scores)
        self.push("hits", hits)
        self.num_positives += labels_BC.sum(dim=0, dtype=torch.double)

    def per_class(self) -> Tensor:
        """Return the average precision of every class, (C,) float64, NaN without positives.

        Of this rank alone; to have that of all ranks, call it within `metric.sync_context()`.
        """
        scores, hits = self.rows("scores"), self.rows("hits") > 0
        if self.top_k is None:
            ranks_H, classes_H = rank_columns(scores, hits)
            return average_precision_of_hits(ranks_H, classes_H, self.num_positives)
        ranking = rank_pairs(scores, hits, self.rows("classes"))
        return ranking.average_precision(self.num_positives)

    def compute(self) -> Tensor:
        """Return the mean over classes with positives, a float64 scalar in [0, 1] or NaN."""
        return self.per_class().nanmean()
