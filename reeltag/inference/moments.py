"""Moments of the videos of a data set: intervals of any length, found in a stream of windows.

    videos | prediction file --> scored windows --> intervals --> the best of each class, or all

Memory: a batch of videos, and some 80 bytes for each moment that is kept.

Letters in shapes: N windows, C classes, K classes that are searched, M moments.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike
from reeltag.core.id_places import IdPlaces
from reeltag.data.dataset import Dataset
from reeltag.data.selection import column_of
from reeltag.data.splits import Split
from reeltag.inference.batches import batches_of, log_items
from reeltag.inference.predict import check_fit
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.predictions.file import open_predictions
from reeltag.predictions.interval_rows import Intervals, ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, IntervalFinder
from reeltag.predictions.ranked_intervals import rank_intervals
from reeltag.tagger.moments import Moment, moments_in, scored_windows
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import Thresholds

_CELLS = 1 << 22  # windows x classes of a file that are dense at once
_PENDING = 1 << 14  # intervals after which those that are not among the best are dropped


@dataclass(frozen=True, kw_only=True)
class VideoMoment(Moment):
    """A moment, and the `id` of its video."""

    id: str


def score_windows(
    tagger: AnyTagger,
    data: Dataset,
    config: IntervalConfig,
    *,
    split: Split = "test",
    rows: NDArray[np.bool_] | None = None,
    batch_size: int = 64,
    device: str = "auto",
) -> Iterator[ScoredWindows]:
    """Yield the scores of all windows of the videos of a split, in the order of the index.

    Args:
        tagger: put into eval mode and onto the device.
        data: with frames.
        config: length and hop of the windows.
        split: which shards.
        rows: (R,) rows of the data's table that are scored, of those of the split; None = all.
        batch_size: videos that are read at once.
        device: cpu, cuda, ...; auto takes a GPU where there is one.

    Raises:
        ConfigError: tagger and data do not fit each other, the split is empty, or there are no
            frames.
        DataError: the data cannot be read.
    """
    if data.kind == "video":
        raise ConfigError(
            "holds one vector per video, in which there are no moments",
            where=data.location,
            hint="Moments need frame-level records; `reeltag predict` scores whole videos.",
        )
    choices = InferenceConfig(videos=False, segments=True, batch_size=batch_size, device=device)
    check_fit(tagger, data, choices)
    items = data.videos(split, streams=tuple(name for name, _ in tagger.streams), rows=rows)
    log_items(items, choices)
    scorer = Scorer(tagger, tagger.num_classes, choices)
    rate, batches = tagger.features.rate_hz, batches_of(items, scorer)
    for batch in track(batches, "scoring", total=len(batches)):
        on_device = batch.to(scorer.device)
        at_once = 4 * batch_size
        yield from scored_windows(
            on_device, tagger.score_windows, config, rate=rate, batch_size=at_once
        )


def read_windows(
    path: PathLike, data: Dataset, rows: NDArray[np.bool_] | None = None
) -> Iterator[ScoredWindows]:
    """Yield the windows of a prediction file; those that end after their video end with it.

    Of those only the first is read where one before it reaches the end of the video as well: a run
    is scored on no others (`IntervalConfig.windows`).

    Args:
        path: of the file.
        data: that was predicted.
        rows: (R,) rows of the data's table whose videos are read; None = all.

    Raises:
        DataError: the file cannot be read, holds no windows, or one of a video that is not there.
    """
    path = Path(path)
    file, none = open_predictions(path), True
    usable = ~column_of(data.table, "skip")
    places_of = IdPlaces(data.table["id"].filter(usable).combine_chunks()).of
    seconds = column_of(data.table, "frames")[usable] / data.features.rate_hz
    wanted = np.ones(int(usable.sum()), bool) if rows is None else rows[usable]
    size = max(1, _CELLS // file.info.num_classes)
    last, reached = -1, False  # the video of the row before, and whether that is at its end
    for block in track(file.rows("segments"), "reading"):
        none = False
        places = places_of(block.ids)
        if places.min() < 0:
            raise DataError(
                f"does not hold the video {block.ids[int(places.argmin())].as_py()!r}, which was "
                "predicted",
                where=data.location,
                hint="Give the data that were predicted.",
            )
        ends = np.minimum(block.ends, seconds[places])
        follows = np.append(last, places[:-1]) == places
        again = follows & np.append(reached, (ends == seconds[places])[:-1])
        last, reached = places[-1], ends[-1] == seconds[places[-1]]
        kept = wanted[places] & ~(again & (block.ends > ends))
        mine = dataclasses.replace(block, ends=ends).where(kept)
        for first in range(0, len(mine), size):
            part = mine.slice(first, min(first + size, len(mine)))
            yield ScoredWindows.of_rows(part, file.info.num_classes)
    if none:
        raise DataError(
            "holds no predictions of segments", where=path, hint="Predict with --segments."
        )


class BestIntervals:
    """The intervals with the highest scores of each class, of a stream of them, or all.

    Args:
        num_classes: C.
        top: how many are kept of each class; None = all.

    Attributes:
        counts: (C,) intervals of each class so far, those that are not kept included.
        windows: scored so far.
    """

    def __init__(self, num_classes: int, top: int | None = None) -> None:
        self.counts, self.windows = np.zeros(num_classes, np.int64), 0
        self._top, self._parts, self._pending = top, list[Intervals](), 0

    def add(self, found: Intervals) -> None:
        """Take further intervals."""
        if len(found):
            self.counts += np.bincount(found.classes, minlength=len(self.counts))
            self._parts.append(found)
            self._pending += len(found)
        if self._top is not None and self._pending > _PENDING:
            self._parts, self._pending = [self.ranked()], 0

    def ranked(self) -> Intervals:
        """Return what is kept by class, best first; the earlier of equals first."""
        found = Intervals.concatenate(self._parts)
        order = np.lexsort((-found.scores, found.classes))
        if self._top is not None:
            classes = found.classes[order]
            order = order[np.arange(len(order)) - np.searchsorted(classes, classes) < self._top]
        return found.take(order)


def find_intervals_in(
    windows: Iterable[ScoredWindows],
    config: IntervalConfig,
    thresholds: Thresholds,
    *,
    classes: Sequence[int] = (),
    top: int | None = None,
    keep: Callable[[Intervals], NDArray[np.bool_]] | None = None,
) -> BestIntervals:
    """Return the intervals of a stream of windows.

    Args:
        windows: of all C classes, video by video.
        config: how they become intervals; where they are ranked, the windows of a video are held.
        thresholds: of the C classes.
        classes: K of them, which are searched; empty = all.
        top: intervals kept of each class; None = all.
        keep: returns (M,) which intervals count; None = all do.

    Raises:
        DataError: the windows of a video are not in order, or a score is not a number.
    """
    chosen = np.array(sorted(set(classes)) or range(len(thresholds.classes)))
    best = BestIntervals(len(thresholds.classes), top)
    parts = _of_classes(windows, chosen, best)
    finder = IntervalFinder(config, thresholds.high_logits[chosen])
    for found in _ranked(parts, config) if config.ranked else _streamed(parts, finder):
        found = dataclasses.replace(found, classes=chosen[found.classes].astype(np.int32))
        best.add(found if keep is None else found.take(keep(found)))
    return best


def _of_classes(
    windows: Iterable[ScoredWindows], chosen: NDArray[np.int64], best: BestIntervals
) -> Iterator[ScoredWindows]:
    """Yield the windows with the logits of the chosen classes alone, and count them."""
    for part in windows:
        best.windows += len(part)
        every = len(chosen) == part.logits.shape[1]
        yield part if every else dataclasses.replace(part, logits=part.logits[:, chosen])


def _streamed(windows: Iterable[ScoredWindows], finder: IntervalFinder) -> Iterator[Intervals]:
    """Yield intervals at the thresholds of a finder."""
    for part in windows:
        yield finder.add(part)
    yield finder.finish()


def _ranked(windows: Iterable[ScoredWindows], config: IntervalConfig) -> Iterator[Intervals]:
    """Yield the intervals that stand out."""
    for video in windows_by_video(windows):
        yield rank_intervals(video, config)


def video_moments(intervals: Intervals, thresholds: Thresholds) -> list[VideoMoment]:
    """Return intervals as objects, with the names of `thresholds` and what it knows of them."""
    return [
        VideoMoment(id=name, **vars(moment))
        for name, moment in zip(
            intervals.ids.to_pylist(), moments_in(intervals, thresholds), strict=True
        )
    ]
