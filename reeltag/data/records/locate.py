"""Where the frames of a record are, found without decoding it.

All frames of a stream have one width, so the protobuf headers before them are the same bytes, and
each frame is a constant stride behind the one before it. The first header is parsed, the
others are compared with it at once; where they differ, the record is decoded the plain way.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records import wire
from reeltag.data.records.example import Spans, decode_feature, joined
from reeltag.data.records.frame_widths import frame_widths


class Layout(NamedTuple):
    """Where the values of one stream are in a record.

    Attributes:
        num_frames: T.
        width: values per frame; 0 where the frames differ in width or are not of the right kind.
        start: position of the first value in the record; 0 if `stride` is.
        stride: bytes from one frame to the next; 0 where that is not constant.
    """

    num_frames: int
    width: int
    start: int
    stride: int


def locate_frames(payload: NDArray[np.uint8], spans: Spans) -> Layout:
    """Return where the byte strings of a FeatureList are, one of `width` bytes per frame.

    Args:
        payload: bytes of the record.
        spans: of the FeatureList message in them.

    Raises:
        DataError: it is not a FeatureList.
    """
    view = payload.data
    layout = _constant_stride(payload, view, *spans[0]) if len(spans) == 1 else None
    if layout is not None:
        return layout
    num_frames, widths = 0, set[int]()
    for some in frame_widths(np.frombuffer(joined(view, spans), np.uint8)):
        num_frames += len(some)
        widths |= set(np.unique(some).tolist()) if len(widths) < 2 else set()
    return Layout(num_frames, widths.pop() if len(widths) == 1 else 0, 0, 0)


def _constant_stride(
    payload: NDArray[np.uint8], view: memoryview, start: int, stop: int
) -> Layout | None:
    """Return the layout if every frame has the very header of the first, else None."""
    begin, end = start, stop
    for depth in range(3):  # FeatureList.feature, Feature.bytes_list, BytesList.value
        field = next(wire.fields(view, begin, end), None)
        if field is None or field.number != 1 or field.wire_type != wire.BYTES:
            return None
        if depth and field.stop != end:
            return None  # something else is next to the one byte string
        begin, end = field.start, field.stop
    stride, header = end - start, begin - start
    if (stop - start) % stride:
        return None
    num_frames = (stop - start) // stride
    headers = payload[start:stop].reshape(num_frames, stride)[:, :header]
    if headers.tobytes() != bytes(view[start:begin]) * num_frames:
        return None
    return Layout(num_frames, end - begin, begin, stride)


def locate_floats(payload: NDArray[np.uint8], spans: Spans) -> Layout:
    """Return where the values of a Feature of floats are: one frame of `width` float32.

    Args:
        payload: bytes of the record.
        spans: of the Feature message in them.

    Raises:
        DataError: it is not a Feature.
    """
    view = payload.data
    if len(spans) == 1:
        begin, end = spans[0]
        for number in (2, 1):  # Feature.float_list, FloatList.value
            field = next(wire.fields(view, begin, end), None)
            if field is None or field != (number, wire.BYTES, field.start, end):
                break
            begin = field.start
        else:
            if (end - begin) % 4 == 0:
                return Layout(1, (end - begin) // 4, begin, end - begin)
    values = decode_feature(joined(view, spans))
    is_float = isinstance(values, np.ndarray) and values.dtype == np.float32
    return Layout(1, len(values) if is_float and values is not None else 0, 0, 0)
