"""Global average precision (GAP@k), the YouTube-8M classification metric."""

import torch
from torch import Tensor

from reeltag.metrics.ranking import best_columns, rank_pairs
from reeltag.metrics.state import RankingMetric, check_batch, comparable, label_mass


class GlobalAveragePrecision(RankingMetric):
    """Average precision of one ranking that pools the top k classes of every video.

    GAP@k = (1 / P) * sum_i precision(i) * hit(i), where i runs over all kept (video, class)
    pairs by falling score and P is the sum of *all* labels, also of those outside the top k (so
    GAP stays below 1 when a video has more than k). Soft labels: any label > 0 is a hit. Equal
    scores keep their order of arrival, earlier update first, then the lower class (the starter
    shuffles them). Without any label GAP is 0, as in the starter.

    Source: Kaggle YouTube-8M 2017, "Evaluation"; google/youtube-8m eval_util.py `calculate_gap`.
    Memory: 5 bytes per kept pair; 1 M videos at k = 20 take 100 MB.

    Args:
        top_k: how many classes of a video enter the ranking; 20 in all three challenges.
        **kwargs: those of `torchmetrics.Metric`.

    >>> gap = GlobalAveragePrecision(top_k=2)
    >>> gap.update(torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[1, 0, 1]]))
    >>> gap.compute()
    tensor(0.5000, dtype=torch.float64)
    """

    def __init__(self, top_k: int = 20, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if top_k < 1:
            raise ValueError(f"top_k must be positive, got {top_k}")
        self.top_k = top_k
        self.add_rows("scores", torch.float32)
        self.add_rows("hits", torch.uint8)
        self.add_sum("num_positives")
        self.num_positives: Tensor

    def update(self, scores_BC: Tensor, labels_BC: Tensor) -> None:
        """Add a batch: scores (B, C) on any monotone scale, labels (B, C) in [0, 1].

        Args:
            scores_BC: on any monotone scale.
            labels_BC: in [0, 1].

        Raises:
            ValueError: the shapes differ, or a score is NaN.
        """
        check_batch(scores_BC, labels_BC)
        best_BK, columns_BK = best_columns(comparable(scores_BC), self.top_k)
        hits_BK = labels_BC.gather(1, columns_BK) > 0
        self.push("scores", best_BK.flatten())
        self.push("hits", hits_BK.flatten().to(torch.uint8))
        if labels_BC.dtype == torch.bool:
            self.num_positives += labels_BC.count_nonzero()
        else:
            self.num_positives += label_mass(labels_BC).sum()

    def compute(self) -> Tensor:
        """Return GAP@k over everything added, a float64 scalar in [0, 1]."""
        ranking = rank_pairs(self.rows("scores"), self.rows("hits") > 0)
        return ranking.average_precision(self.num_positives.view(1))[0].nan_to_num(0.0)
