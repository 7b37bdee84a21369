"""The metric of validation: how good a model is while it trains."""

from torchmetrics import Metric

from reeltag.metrics.gap import GlobalAveragePrecision
from reeltag.metrics.mean_average_precision import MeanAveragePrecision
from reeltag.metrics.segment import SegmentMeanAveragePrecision
from reeltag.training.config import Recipe


def validation_metric(recipe: Recipe, num_classes: int) -> tuple[str, Metric]:
    """Return the metric's name and an empty accumulator of it; higher is better.

    Rated segments have but one: MAP over the rated pairs. Whole videos have GAP@20, or mAP over
    complete rankings.
    """
    if recipe.items == "segments":
        return "map@k", SegmentMeanAveragePrecision(num_classes, k=None)
    if recipe.metric == "map":
        return "map", MeanAveragePrecision(num_classes, top_k=None)
    return "gap@20", GlobalAveragePrecision(top_k=20)
