"""What the challenges measure, as torchmetrics: scores in, one number in [0, 1] out."""

from reeltag.metrics.gap import GlobalAveragePrecision
from reeltag.metrics.hit import HitAtOne
from reeltag.metrics.mean_average_precision import MeanAveragePrecision
from reeltag.metrics.perr import PrecisionAtEqualRecallRate
from reeltag.metrics.segment import SegmentMeanAveragePrecision
from reeltag.metrics.temporal import PerSecondAP, TemporalMAP

__all__ = [
    "GlobalAveragePrecision",
    "HitAtOne",
    "MeanAveragePrecision",
    "PerSecondAP",
    "PrecisionAtEqualRecallRate",
    "SegmentMeanAveragePrecision",
    "TemporalMAP",
]
