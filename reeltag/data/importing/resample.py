"""Streams of different rates brought to one: each new frame is the mean of those within it."""

import math
from collections.abc import Mapping

import numpy as np

from reeltag.core.errors import DataError
from reeltag.core.timing import frames_between
from reeltag.data.importing.sources import Array

_SLACK = 1e-6  # of a frame


def resample(values: Array, rate_hz: float, new_rate_hz: float) -> Array:
    """Return frames at another rate: the mean of the frames whose middle is in the new one.

    A new frame that holds no middle, as when the rate goes up, takes the frame that its own middle
    is in.

    Args:
        values: (T, D).
        rate_hz: frames/s of them.
        new_rate_hz: frames/s wanted.

    Returns:
        (T', D), the same array where the rates are the same; else float32. T' is such that no
        frame is left out.

    Example:
        >>> resample(np.array([[1.0], [3.0], [5.0]]), 2, 1).ravel()
        array([2., 5.], dtype=float32)
    """
    factor = new_rate_hz / rate_hz
    if math.isclose(factor, 1, rel_tol=1e-6):
        return values
    num_frames = len(values)
    by_middle = math.floor((num_frames - 0.5) * factor + _SLACK) + 1
    new_frames = max(by_middle, math.floor(num_frames * factor + 0.5 + _SLACK))
    edges = np.arange(new_frames + 1) / new_rate_hz
    first, count = frames_between(edges[:-1], edges[1:], num_frames, rate_hz)
    if (count == 1).all():
        return np.asarray(values[first], np.float32)
    # the sum of [first, first + count) as every second segment of reduceat
    bounds = np.stack([first, first + count], axis=1).ravel()
    padded = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)])
    sums = np.add.reduceat(padded, bounds, axis=0, dtype=np.float64)[::2]
    return np.asarray(sums / count[:, None], np.float32)


def align(streams: Mapping[str, Array]) -> tuple[dict[str, Array], int]:
    """Return streams cut to the shortest, and how many frames that took away (0 or 1 per stream).

    DataError where two streams differ by more than one frame.
    """
    lengths = {name: len(values) for name, values in streams.items()}
    shortest = min(lengths, key=lambda name: lengths[name])
    longest = max(lengths, key=lambda name: lengths[name])
    least, most = lengths[shortest], lengths[longest]
    if most - least > 1:
        raise DataError(
            f"{longest} has {most} frames, {shortest} has {least}",
            hint="Streams of one video have as many frames; where their rates differ, give them: "
            f"--rates {longest}=HZ {shortest}=HZ; import some streams alone with --take.",
        )
    cut = sum(length - least for length in lengths.values())
    return {name: values[:least] for name, values in streams.items()}, cut
