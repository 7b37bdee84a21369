"""Values to bytes: uint8 by a scale and offset per dimension, float16, float32; and what is lost.

Scale and offset are fitted on a sample: from the .0005 to the .9995 quantile of each dimension,
widened by a twentieth on both sides, unless the quantile is a bound that values reach, as the 0 of
a ReLU. What is outside is clipped and counted.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.sources import Array

QUANTILES = 0.0005, 0.9995
_MARGIN = 0.05  # of the range between the quantiles, on each side
_BLOCK = 1 << 16  # values handled at once: they stay in the cache
_NUM_COMPARED = 5000  # frames whose cosine is computed
_HALF_EXPONENT = np.uint16(0x7C00)  # all ones: infinite or NaN
_COLUMNS = 64  # dimensions whose quantiles are computed at once
_AGAIN = "Compute the features of this video again, or leave it out with --skip-bad."


class Encoded(NamedTuple):
    """Values as they are stored.

    Attributes:
        stored: (T, bytes per frame) uint8.
        outliers: values that were clipped.
    """

    stored: NDArray[np.uint8]
    outliers: int


class Kept(NamedTuple):
    """How much of the vectors is kept: cosine between frames as stored and as given.

    Attributes:
        mean: over the frames.
        low: the 1 % quantile: 99 of 100 frames keep more.
    """

    mean: float
    low: float


def fit_scale(sample: NDArray[np.float32]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and offset of each dimension.

    A constant value v becomes code 128, with room on both sides.

    Args:
        sample: (N, D) finite frames.
    """
    low, high = (np.empty(sample.shape[1]) for _ in range(2))
    for start in range(0, sample.shape[1], _COLUMNS):
        part = np.ascontiguousarray(sample[:, start : start + _COLUMNS].T)
        ends = np.quantile(part, QUANTILES, axis=1)
        margin = (ends[1] - ends[0]) * _MARGIN
        bounds = ends[0] == part.min(axis=1), ends[1] == part.max(axis=1)
        low[start : start + _COLUMNS] = ends[0] - np.where(bounds[0], 0, margin)
        high[start : start + _COLUMNS] = ends[1] + np.where(bounds[1], 0, margin)
    smallest = np.maximum(np.abs(low), np.abs(high)) * np.finfo(np.float32).eps * 4
    constant = high - low <= smallest
    room = 2.0 ** np.ceil(np.log2(np.maximum(np.abs(low), 2.0**-20)))
    scale = np.where(constant, room / 128, (high - low) / 255)
    offset = np.where(constant, low - room, low)
    # as float32, which is what they are used as
    scale, offset = scale.astype(np.float32), offset.astype(np.float32)
    return tuple(scale.tolist()), tuple(offset.tolist())


def encode(values: Array, stream: StreamFeatures) -> Encoded:
    """Return finite values (T, D) as the stream stores them.

    DataError where a value is NaN or infinite, or too large for float16; with the row.
    """
    if stream.scale is not None:
        return _to_codes(values, stream)
    dtype = np.dtype(stream.dtype).newbyteorder("<")
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(values).astype(dtype)
    if not _all_finite(stored):
        check_finite(values, stream.name, stream.dtype)
    return Encoded(stored.view(np.uint8).reshape(len(stored), stream.num_bytes), 0)


def present_frames(stored_TD: Array, stream: StreamFeatures) -> NDArray[np.bool_]:
    """Return (T,) which frames of a stream are there: those that are missing hold zero throughout.

    Args:
        stored_TD: (T, D) as stored.
        stream: description of them.
    """
    missing = encode(np.zeros((1, stream.width), np.float32), stream).stored
    present: NDArray[np.bool_] = (np.ascontiguousarray(stored_TD).view(np.uint8) != missing).any(1)
    return present


def kept_cosine(sample: NDArray[np.float32], stream: StreamFeatures) -> Kept:
    """Return the cosine between frames (N, D) and what is read back of them."""
    sample = sample[:: max(1, len(sample) // _NUM_COMPARED)]
    cosines = np.empty(len(sample))
    rows = max(1, _BLOCK // sample.shape[1])
    for start in range(0, len(sample), rows):
        part = sample[start : start + rows]
        stored = encode(part, stream).stored.view(np.dtype(stream.dtype).newbyteorder("<"))
        back = stream.dequantise(stored)
        dots, squares, its = (
            np.einsum("nd,nd->n", x, y, dtype=np.float64)
            for x, y in ((part, back), (part, part), (back, back))
        )
        norms = np.sqrt(squares * its)
        same = (part == back).all(axis=1)  # also where a frame is all zeros
        cosine = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
        cosines[start : start + rows] = np.where(same, 1.0, np.minimum(cosine, 1.0))
    return Kept(float(cosines.mean()), float(np.quantile(cosines, 0.01)))


def check_finite(values: Array, name: str, dtype: str = "float32") -> None:
    """Raise DataError with row and column of the first value that is NaN, infinite or too large.

    Args:
        values: (T, D).
        name: of their stream.
        dtype: of floats that must hold them.
    """
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"row {row} of {name}: value {column} is {values[row, column]}", hint=_AGAIN
        )
    large = np.abs(values) > np.float64(np.finfo(dtype).max)
    if large.any():
        row, column = np.argwhere(large)[0].tolist()
        wider = "Take --dtype uint8, whose range is fitted, or --dtype float32."
        raise DataError(
            f"row {row} of {name}: {values[row, column]:g} is too large for {dtype}",
            hint=wider if dtype == "float16" else _AGAIN,
        )


def _all_finite(stored: Array) -> bool:
    if stored.dtype.itemsize == 2:  # by the bits: numpy is slow at float16
        exponents = np.bitwise_and(stored.view("<u2"), _HALF_EXPONENT)
        return bool(exponents.max() != _HALF_EXPONENT)
    return bool(np.isfinite(stored).all())


def _to_codes(values: Array, stream: StreamFeatures) -> Encoded:
    """Return uint8 codes: the nearest of 256 steps."""
    scale = np.asarray(stream.scale, np.float32)
    lowest = np.asarray(stream.offset, np.float32) - scale / 2
    inverse = 1 / scale
    stored = np.empty(values.shape, np.uint8)
    rows = max(1, _BLOCK // values.shape[1])
    scratch = np.empty((rows, values.shape[1]), np.float32)
    outliers = 0
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        steps = scratch[: len(part)]
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(part, lowest, out=steps, casting="same_kind")
            np.multiply(steps, inverse, out=steps)
            low, high = steps.min(), steps.max()  # NaN where there is one
        if not (low >= 0 and high < 256):
            if not (np.isfinite(low) and np.isfinite(high)):
                check_finite(values, stream.name)
            outliers += int(np.count_nonzero(steps < 0) + np.count_nonzero(steps >= 256))
            np.clip(steps, 0, 255.5, out=steps)
        np.copyto(stored[start : start + rows], steps, casting="unsafe")
    return Encoded(stored, outliers)
