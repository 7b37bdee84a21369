"""Moments of one video: when a class begins, when it ends, and how sure that is.

    frames -> windows -> logits -> intervals at the thresholds of the classes

Letters in shapes: B videos, T frames, N windows, C classes, K chosen classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.predictions.interval_rows import Intervals, ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, IntervalFinder
from reeltag.predictions.ranked_intervals import rank_intervals
from reeltag.tagger.thresholds import Thresholds
from reeltag.tagger.video import VideoFrames
from reeltag.tagger.windows import LongVideo, Segments, Windows, find_windows, video_lengths

if TYPE_CHECKING:
    from reeltag.tagger.tagger import AnyTagger

DEFAULT_PROB = 0.5  # threshold of all classes where none were chosen


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A class at the seconds [start_s, end_s) of a video.

    Attributes:
        index: of the class.
        name: of the class.
        start_s: second at which it begins.
        end_s: second at which it ends, at most the end of the video.
        peak_s: second at which it is most probable.
        prob: its probability there, in [0, 1].
        mean_prob: the mean of its probability over the moment.
        precision: that the threshold of the class had on held-out ratings; None: not measured.
    """

    index: int
    name: str
    start_s: float
    end_s: float
    peak_s: float
    prob: float
    mean_prob: float
    precision: float | None


def moments_of(
    tagger: "AnyTagger",
    frames: VideoFrames,
    config: IntervalConfig,
    prob: float | None,
    batch_size: int,
) -> list[Moment]:
    """Return the moments of one video, by start; see `AnyTagger.moments`.

    Args:
        tagger: that scores windows.
        frames: of the video.
        config: windows, and how they become intervals.
        prob: threshold of all classes; None: those of the tagger.
        batch_size: windows that are scored together.

    Raises:
        ConfigError: `prob` or `batch_size` is out of range.
        DataError: a score is not a number.
    """
    thresholds = thresholds_for(tagger, DEFAULT_PROB if config.ranked else prob)
    finder = IntervalFinder(config, thresholds.high_logits)
    batch = LongVideo(
        frames=torch.empty(1, 0, 0),
        mask=torch.empty(1, 0, dtype=torch.bool),
        ids=("the video",),
        num_frames=len(frames),
        read=frames.read,
    )
    rate = tagger.features.rate_hz
    windows = scored_windows(batch, tagger.score_windows, config, rate=rate, batch_size=batch_size)
    if config.ranked:
        parts = [rank_intervals(video, config) for video in windows_by_video(windows)]
    else:
        parts = [*map(finder.add, windows), finder.finish()]
    found = Intervals.concatenate(parts)
    return moments_in(found.take(np.lexsort((found.classes, found.start_s))), thresholds)


def thresholds_for(tagger: "AnyTagger", prob: float | None) -> Thresholds:
    """Return one threshold for all classes, or those of the run, or else a probability of 0.5."""
    if prob is None and tagger.thresholds is not None:
        return tagger.thresholds
    prob = DEFAULT_PROB if prob is None else prob
    if not 0 < prob < 1:
        raise ConfigError(f"must be in (0, 1), got {prob}", where="prob")
    return Thresholds.at_prob(tagger.class_names, prob)


def scored_windows(
    batch: FrameBatch,
    score: Callable[[Windows], Tensor],
    config: IntervalConfig,
    *,
    rate: float = 1.0,
    batch_size: int = 256,
) -> Iterator[ScoredWindows]:
    """Yield the windows of a batch's videos with their scores, video by video, some at a time.

    Args:
        batch: of whole videos.
        score: maps n windows to logits (n, C) on the CPU.
        config: length and hop of the windows.
        rate: frames/s.
        batch_size: windows that are scored together.

    Raises:
        ConfigError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ConfigError(f"must be >= 1, got {batch_size}", where="batch_size")
    lengths = video_lengths(batch)
    times = [np.stack(config.windows(length / rate), axis=1) for length in lengths]
    segments, ids = Segments.at(times, lengths), pa.array(batch.ids, pa.string())
    for some in segments.parts(batch_size, rate):
        part = segments.part(some)
        windows, _ = find_windows(batch, part, rate)
        yield ScoredWindows(
            ids=ids.take(pa.array(part.video)),
            start_s=part.times[:, 0],
            end_s=part.times[:, 1],
            logits=score(windows).numpy(),
        )


def moments_in(intervals: Intervals, thresholds: Thresholds) -> list[Moment]:
    """Return intervals as objects, with the names of `thresholds` and what it knows of them."""
    columns: Sequence[NDArray[np.generic]] = (
        intervals.classes,
        intervals.start_s,
        intervals.end_s,
        intervals.peak_s,
        intervals.peak_prob,
        intervals.mean_prob,
    )
    return [
        Moment(
            index=index,
            name=thresholds.classes[index].name,
            start_s=start,
            end_s=end,
            peak_s=peak,
            prob=prob,
            mean_prob=mean,
            precision=thresholds.classes[index].precision,
        )
        for index, start, end, peak, prob, mean in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
