"""A uniform sample of the single frames of a data set, for what is fitted on frames.

Shape letters: N frames of the sample, B videos read together, T frames, D values per frame.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.data.items import VideoSet
from reeltag.data.loading.reading import FrameReader
from reeltag.data.sampling import ChosenFrames

AT_ONCE = 1024  # frames; 350 MB of YouTube-8M's, even where few are of one video


def count_frames(items: VideoSet) -> int:
    """Return how many frames there are to sample from."""
    return int(_lengths(items).sum())


def sample_frames(items: VideoSet, num_frames: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield a sample without replacement of all frames, each as likely, some at a time.

    They come in the order of the index, so that a disk reads forwards.

    Args:
        items: what the frames are of.
        num_frames: N; all are taken where there are fewer.
        seed: of the choice.

    Yields:
        (n, D) as stored, float32 where the streams are stored differently; N rows in all.

    Raises:
        DataError: a shard vanished, shrank or cannot be read.
    """
    end = np.cumsum(_lengths(items))
    total = int(end[-1])
    if num_frames < total:
        rng = np.random.default_rng(seed)
        number_N = np.sort(rng.choice(total, num_frames, replace=False, shuffle=False))
    else:
        number_N = np.arange(total)
    with FrameReader(items) as reader:
        for start in range(0, len(number_N), AT_ONCE):
            number_n = number_N[start : start + AT_ONCE]
            video_n = np.searchsorted(end, number_n, side="right")
            first = np.append(0, end)[video_n]
            yield _read(reader, items, video_n, number_n - first)


def _lengths(items: VideoSet) -> NDArray[np.int64]:
    """Return (N,) frames of each item that can be sampled: of published features the first 300."""
    most = items.features.most_frames
    return items.length.astype(np.int64) if not most else np.minimum(items.length, most, dtype=int)


def _read(
    reader: FrameReader, items: VideoSet, video_n: NDArray[np.int64], frame_n: NDArray[np.int64]
) -> NDArray[Any]:
    """Return some frames (n, D): of which item each is, ascending, and its number there."""
    video_B, first_B, row_n, count_B = np.unique(
        video_n, return_index=True, return_inverse=True, return_counts=True
    )
    place_n = np.arange(len(video_n)) - first_B[row_n]
    listed_BT = np.zeros((len(video_B), int(count_B.max())), np.int64)
    listed_BT[row_n, place_n] = frame_n
    chosen = ChosenFrames(
        count=count_B,
        first=np.zeros_like(count_B),
        span=listed_BT.max(axis=1) + 1,
        step=1,
        listed=listed_BT,
        num_steps=listed_BT.shape[1],
    )
    width = sum(stream.width for stream in items.streams)
    frames_BTD = np.empty((*listed_BT.shape, width), items.dtype)
    reader.read(video_B, chosen, frames_BTD)
    frames_nD: NDArray[Any] = frames_BTD[row_n, place_n]
    return frames_nD
