"""Values that tell little: constant, of few levels, or cut off at the ends of their range.

Shape letters: N frames of a sample, D values per frame.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.frame_sample import sample_frames

_FEWEST = 10  # frames: of fewer nothing can be said
_FEW_LEVELS = 8
_CLIPPED = 0.2  # fraction of bytes at 0 or 255; of AudioSet's, which clip by design, 0.12
_SAME = 0.99  # fraction of frames that have the same value


def describe_frames(data: Dataset, num_frames: int) -> Iterator[tuple[str, str]]:
    """Yield streams whose values look wrong, and how.

    Args:
        data: the data set.
        num_frames: of a sample of its frames, or of vectors, of at most as many records.

    Raises:
        DataError: a shard cannot be read.
    """
    usable = np.flatnonzero(~data.table["skip"].to_numpy() & data.rows_to_look_into())
    if not len(usable):
        return
    rows = usable[np.unique(np.linspace(0, len(usable) - 1, num_frames).astype(np.int64))]
    for stream in data.streams:
        items = data.videos("all", streams=(stream.name,), rows=rows)
        values_ND = np.concatenate(list(sample_frames(items, num_frames, seed=0)))
        if len(values_ND) >= _FEWEST:
            floor_D = _floor_of_zero(data, stream.name)
            yield from ((f"stream {stream.name}", why) for why in _oddities(values_ND, floor_D))


def _floor_of_zero(data: Dataset, name: str) -> NDArray[np.bool_]:
    """Return (D,) where the least code means exactly 0, which features behind a ReLU often are."""
    (stream,) = data.features.of([name]).streams
    offset = (1.0,) * stream.width if stream.offset is None else stream.offset
    is_zero_D: NDArray[np.bool_] = np.asarray(offset) == 0
    return is_zero_D


def _oddities(values_ND: NDArray[Any], floor_D: NDArray[np.bool_]) -> Iterator[str]:
    count, width = values_ND.shape
    usual_D = np.sort(values_ND, axis=0)[count // 2]
    same_D = (values_ND == usual_D).mean(axis=0)
    constant = int((same_D == 1).sum())
    if constant == width:
        same = np.unique(usual_D)
        what = f"all {same[0]:g}" if len(same) == 1 else "the same in each frame"
        yield f"its {width:,} values are constant, {what}: nothing can be learned of it"
        return
    nearly = int((same_D >= _SAME).sum())
    if nearly:
        yield f"{nearly:,} of {width:,} values are constant or nearly so ({constant:,} fully)"
    levels = len(np.unique(values_ND))
    if levels <= _FEW_LEVELS:
        yield f"its values have {levels} distinct levels only"
    elif values_ND.dtype == np.uint8:
        clipped = float((((values_ND == 0) & ~floor_D) | (values_ND == 255)).mean())
        if clipped > _CLIPPED:
            yield f"{clipped:.0%} of its bytes are 0 or 255: cut off when they were quantised?"
