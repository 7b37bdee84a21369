"""What the frames of a feature list are, where they are not byte strings of one width."""

import numpy as np

from reeltag.data.records.example import Feature, decode_feature_list
from reeltag.data.records.wire import Bytes

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG"
_LOOKED_AT = 10_000  # frames of a record
NO_FRAMES = "no frames"


def kind_of_frames(message: Bytes) -> str:
    """Return what a feature list holds: "lists of 16 floats", "JPEG pictures", ...

    Args:
        message: of the feature list.

    Raises:
        DataError: it is none.
    """
    frames = decode_feature_list(message, _LOOKED_AT)
    if not frames:
        return NO_FRAMES
    firsts = [frame[0] for frame in frames if isinstance(frame, list) and frame]
    if len(firsts) == len(frames):
        for name, magic in (("JPEG", _JPEG), ("PNG", _PNG)):
            if all(first.startswith(magic) for first in firsts):
                return f"{name} pictures"
    kinds = {_kind_of(frame) for frame in frames}
    if len(kinds) == 1:
        return kinds.pop()
    if len(firsts) == len(frames):
        lengths = [len(first) for first in firsts]
        return f"byte strings of unequal length ({min(lengths):,} to {max(lengths):,})"
    return "frames of different kinds"


def _kind_of(frame: Feature) -> str:
    if frame is None:
        return "frames without a value"
    if isinstance(frame, list):
        if len(frame) == 1:
            return f"byte strings of {len(frame[0]):,} bytes"
        return f"lists of {len(frame):,} texts"
    kind = "floats" if frame.dtype == np.float32 else "whole numbers"
    return f"lists of {len(frame):,} {kind}"
