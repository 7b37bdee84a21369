"""Moments and what people rated: which ratings are within them.

Letters in shapes: M moments, Q ratings.
"""

import numpy as np
from numpy.typing import NDArray

from reeltag.evaluation.truth import Truth
from reeltag.predictions.interval_rows import Intervals


def ratings_within(
    intervals: Intervals, truth: Truth
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (M,) how many ratings of its class within each interval are yes, and how many no.

    A rating is within an interval where the middle of its window is.
    """
    ratings = truth.ratings
    window = ratings.row_of_entry()
    cells = ratings.videos[window] * truth.num_classes + ratings.classes
    order = np.argsort(cells, kind="stable")
    videos = truth.videos_of(intervals.ids)
    wanted = np.where(videos < 0, -1, videos * truth.num_classes + intervals.classes)
    first, last = (np.searchsorted(cells[order], wanted, side) for side in ("left", "right"))
    count = last - first
    interval = np.repeat(np.arange(len(intervals)), count)
    rating = order[np.arange(len(interval)) - np.repeat(np.cumsum(count) - count - first, count)]
    middle = (ratings.starts + ratings.ends)[window[rating]] / 2
    within = (middle >= intervals.start_s[interval]) & (middle < intervals.end_s[interval])
    positive = ratings.is_positive[rating]
    yes, no = (
        np.bincount(interval[within & kind], minlength=len(intervals))
        for kind in (positive, ~positive)
    )
    return yes, no
