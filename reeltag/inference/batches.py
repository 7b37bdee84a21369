"""Videos in the order of the index, as they are scored: batches of them, and long ones alone.

A batch has at most `MOST_FRAMES` frames, and of a video that has more than `WHOLE_FRAMES` only
those are read by which it is scored as a whole, and then window after window: memory does not grow
with the length of a video.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.core.console import say
from reeltag.data.features import PUBLISHED_FRAMES
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.loading.ranges import FrameRanges
from reeltag.data.sampling import WHOLE_FRAMES, FrameChoice, frames_of_whole
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.tagger.windows import MOST_FRAMES, LongVideo


class VideoBatches:
    """Whole videos in the order of the index, some at a time.

    Args:
        items: the videos.
        choices: what is scored, and how.
        pin: page-locked memory.
    """

    def __init__(self, items: VideoSet, choices: InferenceConfig, *, pin: bool = False) -> None:
        self._items, self._segments = items, choices.segments
        self._most = choices.most_frames(items.features)
        longest = int(items.length.max(initial=1))
        limited = 0 < self._most < longest and not choices.segments
        self._frames = FrameChoice(how="all", max_frames=self._most if limited else longest)
        most_frames = max(MOST_FRAMES, PUBLISHED_FRAMES * choices.batch_size)
        self._reading = ReadConfig(pin=pin, most_frames=most_frames)
        self._batch_size = choices.batch_size
        seen = np.minimum(items.length, self._most) if limited else items.length
        self._is_long = seen > WHOLE_FRAMES
        self._parts = self._runs()

    def __len__(self) -> int:
        """Return the number of batches."""
        return sum(1 if isinstance(part, int) else len(part) for part in self._parts)

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield the batches.

        Raises:
            DataError: a shard vanished, shrank or cannot be read.
        """
        ranges = FrameRanges(self._items)
        for part in self._parts:
            if isinstance(part, int):
                yield self._long(ranges, part)
            else:
                yield from part

    def starts(self) -> NDArray[np.int64]:
        """Return the number of the first video of each batch, ascending."""
        found, first = list[NDArray[np.int64]](), 0
        for part in self._parts:
            if isinstance(part, int):
                found.append(np.array([first]))
                first += 1
            else:
                found.append(first + part.starts())
                first += part.num_items
        return np.concatenate(found)

    def _runs(self) -> list[int | Loader]:
        """Return the number of each long video, and loaders of what is between them."""
        edges = np.flatnonzero(np.diff(self._is_long)) + 1
        parts: list[int | Loader] = []
        bounds = [0, *edges.tolist(), len(self._items)]
        for first, stop in pairwise(bounds):
            if first == stop:
                continue
            if self._is_long[first]:
                parts += range(first, stop)
            else:
                parts.append(self._loader(first, stop))
        return parts

    def _loader(self, first: int, stop: int) -> Loader:
        """Return a loader of the videos [first, stop)."""
        some = slice(first, stop)
        items = replace(
            self._items,
            video=self._items.video[some],
            first=self._items.first[some],
            length=self._items.length[some],
            targets=None,
        )
        return Loader(
            items,
            batch_size=self._batch_size,
            frames=self._frames,
            labels=False,
            reuse_buffers=True,
            reading=self._reading,
        )

    def _long(self, ranges: FrameRanges, item: int) -> LongVideo:
        """Return a long video: the frames of the whole of it, and how its windows are read."""
        num_frames = int(self._items.length[item])
        numbers = frames_of_whole(num_frames, self._most)
        whole = ranges.read(item, 0, num_frames) if numbers is None else ranges.pick(item, numbers)
        return LongVideo(
            frames=whole[None],
            mask=torch.ones(1, len(whole), dtype=torch.bool),
            ids=tuple(self._items.ids(np.array([item]))),
            num_frames=num_frames,
            read=lambda first, stop: ranges.read(item, first, stop),
        )


def batches_of(items: VideoSet, scorer: Scorer) -> VideoBatches:
    """Return the batches of whole videos that a scorer scores."""
    return VideoBatches(items, scorer.choices, pin=scorer.device.type == "cuda")


def log_items(items: VideoSet, choices: InferenceConfig) -> None:
    """Log which videos are skipped, whole or in part."""
    for kind, found in items.skipped.items():
        say(f"skipped: {found:,} records with {kind} (`reeltag info` names them)")
    most = choices.most_frames(items.features)
    longer = int((items.length > most).sum()) if most else 0
    if longer and (choices.videos or choices.policy.uses_videos):
        say(f"{longer:,} videos are scored by their first {most} frames; --max-frames 0 scores all")
    spread = 0 if most else int((items.length > WHOLE_FRAMES).sum())
    if spread and (choices.videos or choices.policy.uses_videos):
        say(
            f"{spread:,} videos are scored as a whole by {WHOLE_FRAMES:,} frames each, spread over "
            "their length"
        )
    grid = choices.grid(items.features.rate_hz)
    lengths, videos = np.unique(items.length, return_counts=True)
    short = int(sum(n for k, n in zip(lengths.tolist(), videos, strict=True) if not grid.count(k)))
    if short and choices.segments and not choices.rated:
        say(f"{short:,} videos are too short: at head and tail all their segments are left out")
