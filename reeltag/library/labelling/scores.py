"""From scores of seconds to labels of videos.

Shape letters: T frames of a video, C classes, V videos.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.quantise import present_frames
from reeltag.data.loader import Loader
from reeltag.data.sampling import FrameChoice
from reeltag.encoders.base import Float32

_ALL = FrameChoice(max_frames=1 << 30)


def stream_frames(
    data: Dataset, stream: StreamFeatures, *, quiet: bool = False
) -> Iterator[tuple[str, Float32]]:
    """Yield the id and the features (T, D) of each video, as the encoder computed them.

    Frames without the stream are left out: those that hold zero in each dimension. T may be 0.

    Args:
        data: of frames.
        stream: of the data.
        quiet: show no progress.
    """
    items = data.videos("all", streams=(stream.name,))
    loader = Loader(items, batch_size=1, frames=_ALL, labels=False)
    batches = loader if quiet else track(loader, stream.name, len(loader))
    for batch in batches:
        stored_TD = batch.frames[0].numpy()
        yield batch.ids[0], stream.dequantise(stored_TD[present_frames(stored_TD, stream)])


def top_mean(scores_TC: Float32, fraction: float) -> Float32:
    """Return (C,) the mean of the best seconds of each class: a video is about its best moments.

    Args:
        scores_TC: of seconds, T at least 1.
        fraction: of the seconds, above 0; at least one second counts.
    """
    number = max(1, round(fraction * len(scores_TC)))
    best: Float32 = np.partition(scores_TC, len(scores_TC) - number, axis=0)[-number:]
    mean: Float32 = best.mean(0)
    return mean


def choose_by_rank(scores_VC: Float32, per_video: float) -> NDArray[np.bool_]:
    """Return (V, C) which videos are labelled with which classes.

    The scores of two classes cannot be compared: one is named by common words, another is never
    sure. So each score is measured against its own class: how many deviations it is above the
    median of all videos, where the deviation is that of the lower half, in which the class is
    not. The best of these numbers, `per_video` for each video in the mean, are labels; a class
    that stands out in many videos gets many, one that stands out in none gets none or few.

    Args:
        scores_VC: of videos; NaN where there is none.
        per_video: labels of a video in the mean.
    """
    is_there = np.isfinite(scores_VC)
    number = min(int(is_there.sum()), round(per_video * int(is_there.any(1).sum())))
    chosen = np.zeros(scores_VC.shape, bool)
    if number < 1:
        return chosen
    above_VC = np.where(is_there, _above_median(scores_VC), -np.inf)
    best = np.argsort(-above_VC, axis=None, kind="stable")[:number]
    chosen.ravel()[best] = True
    return chosen & (above_VC > 0)


def _above_median(scores_VC: Float32) -> NDArray[np.float64]:
    """Return how many deviations of the lower half each score is above the median of its class."""
    above = np.zeros(scores_VC.shape, np.float64)
    for column, scores in enumerate(scores_VC.T.astype(np.float64)):
        there = scores[np.isfinite(scores)]
        if len(there):
            median = np.median(there)
            below = there[there <= median] - median
            deviation = np.sqrt(np.mean(below**2))
            above[:, column] = (scores - median) / max(deviation, 1e-6)
    return above
