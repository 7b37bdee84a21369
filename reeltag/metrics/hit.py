"""Hit@1: is the best guess right?"""

from torch import Tensor

from reeltag.metrics.ranking import best_columns
from reeltag.metrics.state import RankingMetric, check_batch, comparable


class HitAtOne(RankingMetric):
    """Mean over videos of the label of the class with the highest score.

    Of equal scores the lowest class is taken, as in the starter. A video without labels counts as
    a miss. Source: google/youtube-8m eval_util.py `calculate_hit_at_one`. Constant memory.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.add_sum("num_hits")
        self.add_sum("num_videos")
        self.num_hits: Tensor
        self.num_videos: Tensor

    def update(self, scores_BC: Tensor, labels_BC: Tensor) -> None:
        """Add a batch: scores (B, C) on any monotone scale, labels (B, C) in [0, 1].

        Args:
            scores_BC: on any monotone scale.
            labels_BC: in [0, 1].

        Raises:
            ValueError: the shapes differ, or a score is NaN.
        """
        check_batch(scores_BC, labels_BC)
        _, columns_B1 = best_columns(comparable(scores_BC), 1)
        self.num_hits += labels_BC.gather(1, columns_B1).double().sum()
        self.num_videos += len(scores_BC)

    def compute(self) -> Tensor:
        """Return Hit@1, a float64 scalar in [0, 1]; 0 where no video was added."""
        return self.num_hits / self.num_videos.clamp(min=1)
