"""Moments against events whose times are known.

Letters in shapes: M moments or events, C classes.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.files import PathLike
from reeltag.data.annotations import Annotations
from reeltag.data.class_list import ClassList
from reeltag.metrics.temporal import PerSecondAP, TemporalMAP
from reeltag.predictions.interval_rows import Intervals, ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, video_curve


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """M events: a class is in a video during [start_s, end_s) seconds.

    Attributes:
        ids: (M,) strings, an Arrow array: the video.
        classes: (M,) int64.
        start_s: (M,) float64.
        end_s: (M,) float64, after the start.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("id", "start_s", "end_s", "class")

    ids: pa.Array
    classes: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    @classmethod
    def open(cls, path: PathLike, classes: ClassList) -> "Events":
        """Read a CSV or Parquet file with the columns id, start_s, end_s, class.

        Args:
            path: of the file.
            classes: by which its classes are found: name, MID or index.

        Raises:
            DataError: it cannot be read, or an event does not end after it starts.
            ConfigError: a class is not in the list.
        """
        path = Path(path)
        rows = Annotations.read(path, "events", classes)
        values = pc.unique(rows.classes)
        number = np.array([classes.index_of(value, where=path) for value in values.to_pylist()])
        start, end = rows.numbers["start_s"], rows.numbers["end_s"]
        if not (end > start).all():
            row = int((end > start).argmin())
            what = f"end_s must be after start_s, got {start[row]:g} to {end[row]:g}"
            raise DataError(
                what, where=f"{path}, row {rows.row[row] + 1}", hint="Correct or remove the row."
            )
        place = pc.index_in(rows.classes, value_set=values).to_numpy()
        return cls(ids=rows.ids, classes=number[place], start_s=start, end_s=end)


def evaluate_moments(
    found: Intervals,
    truth: Events,
    num_classes: int,
    iou_thresholds: tuple[float, ...] = (0.3, 0.5, 0.7),
) -> dict[str, float]:
    """Return mAP at temporal IoU: `map@tiou`, and for each threshold as `map@tiou=0.5`.

    The result also has the numbers of `moments`, `events`, and of `classes` with an event.

    Args:
        found: moments; those of videos without an event are false.
        truth: all events of the videos that were searched.
        num_classes: C.
        iou_thresholds: each in (0, 1].
    """
    each = match_moments(found, truth, num_classes, iou_thresholds).per_threshold().tolist()
    return {
        "map@tiou": float(np.mean(each)),
        **{f"map@tiou={at:g}": ap for at, ap in zip(iou_thresholds, each, strict=True)},
        "moments": len(found),
        "events": len(truth.classes),
        "classes": len(np.unique(truth.classes)),
    }


def match_moments(
    found: Intervals, truth: Events, num_classes: int, iou_thresholds: tuple[float, ...]
) -> TemporalMAP:
    """Return the metric that holds moments and events, for the AP of each class and threshold.

    Args:
        found: moments.
        truth: all events of the videos that were searched.
        num_classes: C.
        iou_thresholds: each in (0, 1].
    """
    names = pc.unique(pa.concat_arrays([found.ids.cast(pa.string()), truth.ids]))
    videos = [pc.index_in(ids, value_set=names).to_numpy() for ids in (found.ids, truth.ids)]
    spans = [np.stack([of.start_s, of.end_s], axis=1) for of in (found, truth)]
    metric = TemporalMAP(num_classes, iou_thresholds)
    columns = (found.scores, spans[0], found.classes, videos[0], spans[1], truth.classes, videos[1])
    metric.update(*(torch.tensor(column) for column in columns))
    return metric


def evaluate_seconds(
    windows: Iterable[ScoredWindows], truth: Events, config: IntervalConfig, num_classes: int
) -> float:
    """Return the mean over classes of the average precision of every second.

    A second's score is that of the curve of its video; it is positive where events of the class
    cover half of it.

    Args:
        windows: of videos, all of a video in a row, at least one second long.
        truth: all events of these videos.
        config: smoothing.
        num_classes: C.
    """
    config, metric = dataclasses.replace(config, hop_s=1.0), PerSecondAP(num_classes)
    spans = np.stack([truth.start_s, truth.end_s], axis=1)
    for video in windows_by_video(windows):
        mine = pc.equal(truth.ids, video.ids[0]).to_numpy(zero_copy_only=False)
        metric.update(
            torch.from_numpy(video_curve(video, config)),
            torch.tensor(spans[mine]),
            torch.tensor(truth.classes[mine]),
            float(video.end_s.max()),
        )
    return float(metric.compute())
