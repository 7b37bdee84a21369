"""Frames of single videos, read when they are needed."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.data.items import VideoSet
from reeltag.data.loading.reading import FrameReader
from reeltag.data.sampling import ChosenFrames


class FrameRanges:
    """Reads some frames of a video, into memory of their own.

    For one thread. Files that it opens are closed with it.

    Args:
        items: whole videos.
    """

    def __init__(self, items: VideoSet) -> None:
        self._items, self._reader = items, FrameReader(items)
        self._width = sum(stream.width for stream in items.streams)

    def read(self, item: int, first: int, stop: int) -> Tensor:
        """Return the frames [first, stop) of a video, (T, D) of the items' dtype.

        Args:
            item: number of the video in the set.
            first: number of the first frame.
            stop: that behind the last one, at most the number of frames of the video.

        Raises:
            DataError: a shard vanished, shrank or cannot be read.
        """
        return self._read(item, first, stop - first, None)

    def pick(self, item: int, numbers: NDArray[np.int64]) -> Tensor:
        """Return some frames of a video, (T, D); arguments and errors as `read`.

        Args:
            item: number of the video in the set.
            numbers: (T,) of the frames, ascending.
        """
        return self._read(item, 0, len(numbers), numbers)

    def _read(self, item: int, first: int, count: int, numbers: NDArray[np.int64] | None) -> Tensor:
        span = count if numbers is None else int(numbers[-1]) + 1
        chosen = ChosenFrames(
            count=np.array([count]),
            first=np.array([first]),
            span=np.array([span]),
            step=1,
            listed=None if numbers is None else numbers[None],
            num_steps=count,
        )
        out = np.empty((1, count, self._width), self._items.dtype)
        self._reader.read(np.array([item]), chosen, out)
        return torch.from_numpy(out[0])
