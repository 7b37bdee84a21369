"""Precision at equal recall rate (PERR): how many of a video's n labels are among its n best?"""

import torch
from torch import Tensor

from reeltag.metrics.ranking import best_columns
from reeltag.metrics.state import RankingMetric, check_batch, comparable, label_mass


class PrecisionAtEqualRecallRate(RankingMetric):
    """Mean over videos of the share of true labels among the n best classes, n = number of labels.

    A video without labels scores 0 and stays in the mean. Of equal scores the lower class comes
    first. Soft labels: n is their sum rounded down and hits count with their label; where n is 0,
    all C classes are taken. Source: google/youtube-8m eval_util.py
    `calculate_precision_at_equal_recall_rate`. Constant memory.

    Departs from it: the starter lets only scores > 0 count, which is meant for probabilities that
    were cut to 0 and is wrong for logits. Here every score counts, so that logits and their
    probabilities give the same value. `above=0` brings the starter's rule back; for probabilities
    > 0 there is no difference.

    Args:
        above: only scores above this count as a prediction; None = all.
        **kwargs: those of `torchmetrics.Metric`.
    """

    def __init__(self, above: float | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.above = above
        self.add_sum("precision")
        self.add_sum("num_videos")
        self.precision: Tensor
        self.num_videos: Tensor

    def update(self, scores_BC: Tensor, labels_BC: Tensor) -> None:
        """Add a batch: scores (B, C), logits or probabilities, labels (B, C) in [0, 1].

        Args:
            scores_BC: logits or probabilities.
            labels_BC: in [0, 1].

        Raises:
            ValueError: the shapes differ, or a score is NaN.
        """
        check_batch(scores_BC, labels_BC)
        if not len(scores_BC):
            return
        scores_BC, num_classes = comparable(scores_BC), scores_BC.shape[1]
        counts_B = label_mass(labels_BC).long()
        best_BK, columns_BK = best_columns(scores_BC, max(int(counts_B.max()), 1))
        places_K = torch.arange(best_BK.shape[1], device=scores_BC.device)
        found_BK = self._found(best_BK, labels_BC.gather(1, columns_BK))
        found_B = (found_BK * (places_K < counts_B.unsqueeze(1))).sum(dim=1)
        rest_R = (counts_B == 0).nonzero().squeeze(1)
        found_B[rest_R] = self._found(scores_BC[rest_R], labels_BC[rest_R]).sum(dim=1)
        self.precision += (found_B / torch.where(counts_B > 0, counts_B, num_classes)).sum()
        self.num_videos += len(scores_BC)

    def _found(self, scores_BK: Tensor, labels_BK: Tensor) -> Tensor:
        found_BK = labels_BK.double()
        return found_BK if self.above is None else found_BK * (scores_BK > self.above)

    def compute(self) -> Tensor:
        """Return PERR, a float64 scalar in [0, 1]; 0 where no video was added."""
        return self.precision / self.num_videos.clamp(min=1)
