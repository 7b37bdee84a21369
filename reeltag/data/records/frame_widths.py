"""How wide the frames of a feature list are, without their values.

A frame is a Feature; its width is the length of its byte string, where it has one. All frames of a
window are looked at together, level by level: frames, their lists, the values of these.

Letters in shapes: F frames of a window, P pieces (lists of a feature), V values.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records import wire
from reeltag.data.records.feature_values import BYTES_LIST, INT64_LIST, decode_feature
from reeltag.data.records.scan import FieldTable, GroupBudget, field_tables, joined_values

_LARGE = 1 << 15  # bytes of a frame that is decoded by itself


def frame_widths(data: NDArray[np.uint8]) -> Iterator[NDArray[np.int64]]:
    """Yield the bytes of each frame, some frames at a time; 0 for one that is not one byte string.

    Args:
        data: bytes of a FeatureList message.

    Raises:
        DataError: the message is not one.
    """
    groups = GroupBudget()
    for table in field_tables(data, None, groups):
        frames = table.where((table.wire_type == wire.BYTES) & (table.number == 1))
        size = frames.stop - frames.start
        widths = np.zeros(len(size), np.int64)
        large = size > _LARGE
        for row in np.flatnonzero(large).tolist():
            values = decode_feature(data[frames.start[row] : frames.stop[row]].data)
            one = isinstance(values, list) and len(values) == 1
            widths[row] = len(values[0]) if one and isinstance(values, list) else 0
        if not large.all():
            small = frames.where(~large)
            widths[~large] = _widths(joined_values(data, small), size[~large], groups)
        if len(widths):
            yield widths


def _widths(
    data: NDArray[np.uint8], size: NDArray[np.int64], groups: GroupBudget
) -> NDArray[np.int64]:
    """Return (F,) the widths of frames of given sizes, whose messages are joined."""
    begin = np.cumsum(size) - size
    pieces = _fields(data, begin, INT64_LIST, groups)
    frame = np.searchsorted(begin + size, pieces.at, "right")
    kind = pieces.number
    # of the lists of a frame only those behind the last change of their kind count
    is_new = np.append(True, (np.diff(frame) != 0) | (np.diff(kind) != 0))[: len(kind)]
    run = np.cumsum(is_new)
    last_run = np.zeros(len(size), np.int64)
    last_run[frame] = run  # the last one written stays
    counts = (run == last_run[frame]) & (kind == BYTES_LIST)
    length = pieces.stop - pieces.start
    bounds = np.cumsum(length) - length
    values = _fields(joined_values(data, pieces), bounds, 1, groups)  # all lists are whole fields
    piece = np.searchsorted(bounds + length, values.at, "right")
    mine = counts[piece]
    owner = frame[piece[mine]]
    number = np.bincount(owner, minlength=len(size))
    total = np.bincount(owner, (values.stop - values.start)[mine], len(size)).astype(np.int64)
    return np.where(number == 1, total, 0)


def _fields(
    data: NDArray[np.uint8], bounds: NDArray[np.int64], most: int, groups: GroupBudget
) -> FieldTable:
    """Return the byte strings numbered 1 to `most` in joined messages that begin at `bounds`."""
    none = np.zeros(0, np.int64)
    found = [FieldTable(none, none, none, none, none)]
    found += (
        table.where((table.wire_type == wire.BYTES) & (table.number <= most))
        for table in field_tables(data, bounds, groups)
    )
    return FieldTable(*map(np.concatenate, zip(*found, strict=True)))
