"""Batches kept beyond their buffers, to be compared; and the threads that made them."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.data.loader import Loader


@dataclass
class Kept:
    """A copy of a batch, without what the mask hides."""

    ids: tuple[str, ...]
    shape: tuple[int, ...]
    frames: list[NDArray[np.uint8]]
    labels: NDArray[np.float32] | None
    weights: NDArray[np.float32] | None
    starts: list[float] | None

    def __init__(self, batch: FrameBatch) -> None:
        self.ids, self.shape = batch.ids, tuple(batch.frames.shape)
        self.frames = [
            video[mask].numpy().copy() for video, mask in zip(batch.frames, batch.mask, strict=True)
        ]
        self.labels = None if batch.labels is None else batch.labels.numpy().copy()
        self.weights = None if batch.weights is None else batch.weights.numpy().copy()
        self.starts = None if batch.times is None else batch.times[:, 0].tolist()


def kept(loader: Loader) -> list[Kept]:
    return [Kept(batch) for batch in loader]


def assert_same(one: list[Kept], other: list[Kept]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.ids, a.shape, a.starts) == (b.ids, b.shape, b.starts)
        for left, right in zip(a.frames, b.frames, strict=True):
            np.testing.assert_array_equal(left, right)
        for first, second in ((a.labels, b.labels), (a.weights, b.weights)):
            assert (first is None) == (second is None)
            if first is not None and second is not None:
                np.testing.assert_array_equal(first, second)


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reeltag-loader"]
