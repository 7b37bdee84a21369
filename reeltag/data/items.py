"""What a loader loads: whole videos, rated segments, or every segment of a split.

    items = data.rated_segments("train", streams=("audio",))
    for batch in Loader(items, batch_size=80): ...

Shape letters: N items (examples per epoch), V records, C classes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.timing import frames_between
from reeltag.data.features import Features
from reeltag.data.selection import Records, Which, lists_of, select
from reeltag.data.splits import PUBLISHED_SPLITS as PUBLISHED_SPLITS
from reeltag.data.splits import Split
from reeltag.data.streams import Stream
from reeltag.labels.targets import Targets

if TYPE_CHECKING:
    from reeltag.data.dataset import Dataset

SEGMENT_SECONDS = 5  # at 1 Hz also its frames


@dataclass(frozen=True, eq=False)
class VideoSet:
    """N items to learn from or to predict. What they hold stays on the disk.

    Memory: about 80 bytes per record and 16 per segment, whatever their length.

    Attributes:
        records: that they are cut from.
        video: (N,) number of the record of each, ascending.
        first: (N,) int32, first frame of each.
        length: (N,) int32, frames of each, at least 1.
        targets: what is known of each; None where nothing is.
        times: (N, 2) seconds at which each window begins and ends; None for whole videos.
    """

    records: Records
    video: NDArray[np.int64]
    first: NDArray[np.int32]
    length: NDArray[np.int32]
    targets: Targets | None
    times: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return N: the examples of an epoch."""
        return len(self.video)

    @property
    def segments(self) -> bool:
        """Whether they are windows of videos, not whole videos."""
        return self.times is not None

    @property
    def dataset(self) -> "Dataset":
        """That they are items of."""
        return self.records.dataset

    @property
    def num_classes(self) -> int:
        """C."""
        return self.dataset.num_classes

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What is concatenated along the D of a batch, in this order."""
        return self.records.streams

    @property
    def features(self) -> Features:
        """Description of these streams."""
        return self.dataset.features.of([stream.name for stream in self.streams])

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the frames of a batch: that of the streams, float32 where they differ."""
        dtypes = {stream.dtype for stream in self.streams}
        return np.dtype(dtypes.pop() if len(dtypes) == 1 else np.float32)

    @property
    def skipped(self) -> dict[str, int]:
        """Kind of problem -> records of the split that are left out for it."""
        return self.records.skipped

    @cached_property
    def shard(self) -> NDArray[np.int32]:
        """(N,) number of the shard of each item, ascending."""
        shard: NDArray[np.int32] = self.records.column("shard")[self.video]
        return shard

    @property
    def offset(self) -> NDArray[np.int64]:
        """(N,) position in its shard of the payload of each item's record."""
        offset: NDArray[np.int64] = self.records.column("offset")[self.video]
        return offset

    def ids(self, items: NDArray[np.int64]) -> list[str]:
        """Return the video ids of some items."""
        taken = self.records.table["id"].chunk(0).take(self.video[items])
        ids: list[str] = taken.to_numpy(zero_copy_only=False).tolist()
        return ids

    def label_counts(self) -> NDArray[np.int64]:
        """Return (C,): how many items have each class, by a target of 0.5 or more."""
        if self.targets is None:
            return np.zeros(self.num_classes, np.int64)
        held = self.targets.classes[self.targets.entry_values() >= 0.5]
        return np.bincount(held, minlength=self.num_classes)

    def known_counts(self) -> NDArray[np.int64]:
        """Return (C,): of how many items it is known whether they have each class."""
        if self.targets is None:
            return np.zeros(self.num_classes, np.int64)
        weighs = self.targets.entry_weights() > 0
        rated = np.bincount(self.targets.classes[weighs], minlength=self.num_classes)
        if not np.any(self.targets.unlisted_weight):
            return rated
        known = self.targets.unlisted_weights() > 0
        listed = self.targets.classes[known[self.targets.row_of_entry()]]
        unlisted = known.sum() - np.bincount(listed, minlength=self.num_classes)
        mask = self.targets.class_mask
        return rated + (unlisted if mask is None else np.where(mask, unlisted, 0))


def videos(dataset: "Dataset", split: Split = "train", **which: Unpack[Which]) -> VideoSet:
    """Return the whole videos of a split, with their video-level labels.

    Args:
        dataset: to select from.
        split: which split.
        **which: `streams` and `rows`, as `select` has them.

    Raises:
        ConfigError: as `select`.
    """
    records = select(dataset, split, **which)
    frames = records.column("frames")
    return VideoSet(
        records,
        video=np.arange(len(records)),
        first=np.zeros_like(frames),
        length=frames,
        targets=Targets(*records.lists("labels")),
    )


def rated_segments(dataset: "Dataset", split: Split = "train", **which: Unpack[Which]) -> VideoSet:
    """Return the rated windows of a split, one item per (video, start, end).

    An item has the frames whose middle is in its window, at least one. Where a class of a window is
    rated twice the last rating counts, as in YouTube-8M's reader.

    Args:
        dataset: to select from.
        split: which split.
        **which: `streams` and `rows`, as `select` has them.

    Raises:
        ConfigError: as `select`, or nothing is rated, or the records hold one vector per video.
    """
    _check_has_frames(dataset)
    records = select(dataset, split, **which)
    bounds, start = records.lists("segment_starts")
    end = records.lists("segment_ends")[1]
    classes, scores = records.lists("segment_labels")[1], records.lists("segment_scores")[1]
    if not len(start):
        raise ConfigError(
            f"none of the {len(records)} videos of the split {split!r} has rated segments",
            where=dataset.location,
            hint="Take whole videos, or a split that was rated (YouTube-8M: validate of 2019).",
        )
    video = np.repeat(np.arange(len(records)), np.diff(bounds))
    order = np.lexsort((classes, end, start, video))  # stable: the last rating stays the last
    video, start, end, classes, scores = (x[order] for x in (video, start, end, classes, scores))
    new_item = _changes(video) | _changes(start) | _changes(end)
    new_entry = new_item | _changes(classes)
    last = np.append(new_entry[1:], True)  # of the ratings of one class of one window
    item_bounds = np.append(np.flatnonzero(new_item[new_entry]), last.sum())
    targets = Targets(item_bounds, classes[last], scores[last], unlisted_weight=0.0)
    times = np.stack([start[new_item], end[new_item]], axis=1)
    return windows_of(records, video[new_item], times, targets)


def unaligned_ratings(dataset: "Dataset") -> int:
    """Return how many ratings are of other windows than YouTube-8M's [0, 5), [5, 10), ..."""
    starts, ends = (lists_of(dataset.table, f"segment_{name}")[1] for name in ("starts", "ends"))
    unaligned = (starts % SEGMENT_SECONDS != 0) | (ends - starts != SEGMENT_SECONDS)
    return int(unaligned.sum())


def windows_of(
    records: Records,
    video: NDArray[np.int64],
    times: NDArray[np.float64],
    targets: Targets | None,
) -> VideoSet:
    """Return windows of some records as items.

    Args:
        records: that they are cut from.
        video: (N,) number of the record of each, ascending.
        times: (N, 2) seconds at which each begins and ends.
        targets: of the N windows, or None.
    """
    frames, rate = records.column("frames")[video], records.dataset.features.rate_hz
    first, length = frames_between(times[:, 0], times[:, 1], frames, rate)
    return VideoSet(records, video, first.astype(np.int32), length.astype(np.int32), targets, times)


def _check_has_frames(dataset: "Dataset") -> None:
    """Raise ConfigError where no seconds are stored that a segment could be cut from."""
    if dataset.kind == "video":
        raise ConfigError(
            "holds one vector per video, which has no segments",
            where=dataset.location,
            hint="Segments need frame-level records.",
        )


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a value differs from the one before it; the first always does."""
    changed = np.ones(len(values), bool)
    changed[1:] = values[1:] != values[:-1]
    return changed
