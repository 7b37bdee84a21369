"""Windows with their scores, and the intervals found in them, in columns.

Letters in shapes: N windows, C classes, M intervals.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.probability import sigmoid
from reeltag.predictions.rows import TimedRows


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoredWindows:
    """N windows with their scores, the windows of a video together and in order of their starts.

    Attributes:
        ids: (N,) strings, an Arrow array: the video of each window.
        start_s: (N,) seconds, >= 0.
        end_s: (N,) seconds, after the start; a video lasts until its last window ends.
        logits: (N, C); -inf = not listed.
    """

    ids: pa.Array
    start_s: NDArray[np.floating]
    end_s: NDArray[np.floating]
    logits: NDArray[np.floating]

    @classmethod
    def of_rows(cls, rows: TimedRows, num_classes: int) -> Self:
        """Return the windows of prediction rows; a class that a row does not list has -inf."""
        logits = rows.to_dense(num_classes, -np.inf)
        return cls(ids=rows.ids, start_s=rows.starts, end_s=rows.ends, logits=logits)

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    def slice(self, first: int, last: int) -> Self:
        """Return the windows from `first` to before `last`, as views."""
        part = slice(first, last)
        return dataclasses.replace(
            self,
            ids=self.ids.slice(first, last - first),
            start_s=self.start_s[part],
            end_s=self.end_s[part],
            logits=self.logits[part],
        )

    def check(self, num_classes: int) -> None:
        """Raise DataError where a window is empty or before 0, or its scores are not C numbers."""
        if self.logits.shape != (len(self), num_classes):
            found = " x ".join(map(str, self.logits.shape))
            raise DataError(f"scores of {len(self)} windows x {num_classes} classes are {found}")
        in_time = (self.start_s >= 0) & (self.end_s > self.start_s) & np.isfinite(self.end_s)
        self._check_rows(in_time, "must begin at 0 s or later, and end after that")
        self._check_rows(~np.isnan(self.logits).any(axis=1), "has a score that is not a number")

    def check_order(self, videos: NDArray[np.int64], last_start_s: float) -> None:
        """Raise DataError where a window begins before the one before it, in the same video.

        Args:
            videos: (N,) the number of each window's video.
            last_start_s: where the last window of video 0 began, before these.
        """
        before = np.append(last_start_s, self.start_s[:-1])[: len(self)]
        follows = np.append(0, videos[:-1])[: len(self)] == videos
        self._check_rows(~follows | (self.start_s >= before), "comes after one that begins later")

    def numbered(self, previous: pa.Scalar | None) -> tuple[NDArray[np.int64], pa.Array]:
        """Return the number of each window's video, (N,) from 0, and the ids of the videos.

        Args:
            previous: the video of the windows before these, which is then number 0.
        """
        new = np.ones(len(self), bool)
        if len(self) > 1:
            new[1:] = pc.not_equal(self.ids[1:], self.ids[:-1]).to_numpy(zero_copy_only=False)
        ids = [] if previous is None else [pa.array([previous], self.ids.type)]
        if len(self) and previous is not None:
            new[0] = self.ids[0].as_py() != previous.as_py()
        videos = np.cumsum(new) - (previous is None)
        return videos, pa.concat_arrays([*ids, self.ids.filter(pa.array(new))])

    def _check_rows(self, holds: NDArray[np.bool_], what: str) -> None:
        if not holds.all():
            row = int(holds.argmin())
            window = f"the window [{self.start_s[row]:g}, {self.end_s[row]:g}) s"
            raise DataError(f"{window} {what}", where=self.ids[row])


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervals:
    """M intervals [start_s, end_s) of a class in a video, in columns.

    Attributes:
        ids: (M,) strings, an Arrow array: the video.
        classes: (M,) int32.
        start_s: (M,) float64.
        end_s: (M,) float64, at most the end of the video.
        peak_s: (M,) float64, the middle of the first step at which the curve is highest.
        scores: (M,) float64, the logit of the curve there.
        mean_prob: (M,) float64, the mean of the curve over the interval; steps without a window,
            in a gap that was closed, count as 0.
    """

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            ("id", pa.string()),
            ("class", pa.int32()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("peak_s", pa.float64()),
            ("score", pa.float64()),
            ("peak_prob", pa.float64()),
            ("mean_prob", pa.float64()),
        ]
    )

    ids: pa.Array
    classes: NDArray[np.int32]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    peak_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    mean_prob: NDArray[np.float64]

    def __len__(self) -> int:
        """Return M."""
        return len(self.classes)

    @property
    def peak_prob(self) -> NDArray[np.float64]:
        """(M,) the curve's highest value."""
        prob: NDArray[np.float64] = sigmoid(self.scores)
        return prob

    def take(self, rows: NDArray[np.generic]) -> Self:
        """Return some intervals, by number or mask, in that order."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        columns = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        ids = columns.pop("ids").take(pa.array(rows, pa.int64()))
        return type(self)(ids=ids, **{name: column[rows] for name, column in columns.items()})

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Return the intervals of all parts, one part after the other; no parts give none."""
        batches = [part.to_arrow() for part in parts]
        return cls.from_arrow(pa.Table.from_batches(batches, cls.SCHEMA).combine_chunks())

    def to_arrow(self) -> pa.RecordBatch:
        """Return the columns id, class, start_s, end_s, peak_s, score, peak_prob, mean_prob."""
        columns = (self.classes, self.start_s, self.end_s, self.peak_s, self.scores)
        arrays = [*columns, self.peak_prob, self.mean_prob]
        return pa.RecordBatch.from_arrays(
            [self.ids.cast(pa.string()), *map(pa.array, arrays)], schema=self.SCHEMA
        )

    @classmethod
    def from_arrow(cls, table: pa.RecordBatch | pa.Table) -> Self:
        """Return the intervals of a table that `to_arrow` made."""
        table = pa.table(table).combine_chunks()
        ids = pa.concat_arrays(table["id"].chunks or [pa.array([], pa.string())])
        names = ("class", "start_s", "end_s", "peak_s", "score", "mean_prob")
        found = [table[name].to_numpy() for name in names]
        return cls(
            ids=ids,
            classes=found[0],
            start_s=found[1],
            end_s=found[2],
            peak_s=found[3],
            scores=found[4],
            mean_prob=found[5],
        )


def windows_by_video(windows: Iterable[ScoredWindows]) -> Iterator[ScoredWindows]:
    """Yield all windows of each video, which may come in several parts."""
    held: list[ScoredWindows] = []
    for part in windows:
        videos, _ = part.numbered(None)
        edges = [*np.flatnonzero(np.diff(videos, prepend=-1)).tolist(), len(part)]
        for first, last in pairwise(edges):
            if held and held[0].ids[0].as_py() != part.ids[first].as_py():
                yield _joined(held)
                held = []
            held.append(part.slice(first, last))
    if held:
        yield _joined(held)


def _joined(parts: list[ScoredWindows]) -> ScoredWindows:
    return ScoredWindows(
        ids=pa.concat_arrays([part.ids for part in parts]),
        start_s=np.concatenate([part.start_s for part in parts]),
        end_s=np.concatenate([part.end_s for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
    )
