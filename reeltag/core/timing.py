"""Seconds and frames: at `rate` frames/s, frame k covers [k / rate, (k + 1) / rate) seconds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SLACK = 1e-6  # of a frame: 0.1 s * 30 frames/s is 3.0000000000000004 frames


def frames_between(
    start_s: ArrayLike, end_s: ArrayLike, num_frames: ArrayLike, rate: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the frames of intervals [start, end): those whose middle is in it, at least one.

    An interval that holds no middle takes the frame that its own middle is in. Frames that the
    stream does not have are not taken.

    Args:
        start_s: (N,) seconds.
        end_s: (N,) seconds, after the starts.
        num_frames: (N,) or one number: frames of the stream, at least 1.
        rate: frames/s.

    Returns:
        (N,) first frame of each, and (N,) the number of its frames, at least 1.

    Example:
        >>> frames_between([3, 0.2], [9, 0.3], 300, rate=1)
        (array([3, 0]), array([6, 1]))
        >>> frames_between([3.5], [5.5], 300, rate=2)
        (array([7]), array([4]))
    """
    start, end = np.asarray(start_s, np.float64), np.asarray(end_s, np.float64)
    last = np.asarray(num_frames, np.int64) - 1
    first = np.ceil(start * rate - 0.5 - _SLACK).astype(np.int64)
    stop = np.ceil(end * rate - 0.5 - _SLACK).astype(np.int64)
    nearest = np.floor((start + end) / 2 * rate + _SLACK).astype(np.int64)
    first = np.clip(np.where(stop > first, first, nearest), 0, last)
    return first, np.maximum(np.minimum(stop, last + 1) - first, 1)


def spread_frames(length: ArrayLike, number: int, place: ArrayLike = 0.5) -> NDArray[np.int64]:
    """Return at most `number` frames of each of some streams, spread over its whole length.

    A stream of more frames is divided into `number` equal parts, each of which gives one frame; a
    shorter one gives all of its frames, and repeats the last in what is behind them.

    Args:
        length: (N,) frames of each, at least 1.
        number: of frames that are wanted, at least 1.
        place: in [0, 1), or (N, T) such: where in its part a frame is taken.

    Returns:
        (N, T) ascending frame numbers; T is `number`, or the longest length if that is less.

    Example:
        >>> spread_frames([3, 10], 5)
        array([[0, 1, 2, 2, 2],
               [1, 3, 5, 7, 9]])
    """
    length = np.asarray(length, np.int64)[:, None]
    part = np.arange(min(number, int(length.max(initial=0))))
    spread = ((part + np.asarray(place)) * (length / number)).astype(np.int64)
    return np.minimum(np.where(length > number, spread, part), length - 1)
