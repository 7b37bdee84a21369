"""Scale and offset of an archive's features, fitted on its first videos and then fixed.

The videos of an archive are in the order of their content ids, which are hashes: the first ones
are a random sample of all. Frames without picture or sound are left out.
"""

from collections.abc import Sequence

import numpy as np

from reeltag.core.errors import DataError
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.importing.quantise import fit_scale
from reeltag.data.importing.sample import NUM_FRAMES, spread
from reeltag.data.streams import StoredDtype
from reeltag.encoders.base import Float32
from reeltag.library.extraction.encoding import EncodedStream
from reeltag.library.extraction.parts import FeaturePart

ENOUGH_VIDEOS = 100
_LEAST_VIDEOS = 10  # of each stream, where there are that many


class ScaleFitter:
    """Collect parts in their order until they are enough of a sample.

    Args:
        streams: of the parts.
    """

    def __init__(self, streams: Sequence[EncodedStream]) -> None:
        self._streams = streams
        self._parts = list[FeaturePart]()
        self._having = {stream.name: 0 for stream in streams}

    def add(self, part: FeaturePart) -> None:
        """Take the next part."""
        self._parts.append(part)
        for name in self._having:
            self._having[name] += bool(part.has(name).any())

    @property
    def is_enough(self) -> bool:
        """Whether the sample is large enough, of each stream."""
        few = min(self._having.values())
        return len(self._parts) >= ENOUGH_VIDEOS and few >= _LEAST_VIDEOS

    def fit(self, rate_hz: float, dtype: StoredDtype) -> Features:
        """Return the description of the features; DataError where a stream is in no video.

        Args:
            rate_hz: frames per second.
            dtype: of the stored values.
        """
        described = list[StreamFeatures]()
        for stream in self._streams:
            scale, offset = fit_scale(self.sample(stream.name)) if dtype == "uint8" else (None,) * 2
            described.append(
                StreamFeatures(
                    name=stream.name,
                    width=stream.width,
                    dtype=dtype,
                    scale=scale,
                    offset=offset,
                    encoder=stream.encoder,
                )
            )
        return Features(rate_hz=rate_hz, streams=tuple(described))

    def sample(self, name: str) -> Float32:
        """Return (N, width) of a stream, about `NUM_FRAMES` evenly spread over the parts.

        DataError where no part has it.
        """
        end = 0
        for stream in self._streams:
            first, end = end, end + stream.width
            if stream.name == name:
                break
        having = [part for part in self._parts if part.has(name).any()]
        if not having:
            flag, what = ("--picture", "pictures") if name == "rgb" else ("--sound", "sound")
            raise DataError(
                f"no video has {what} that can be decoded", hint=f"Leave them out: {flag} none."
            )
        each, rows = -(-NUM_FRAMES // len(having)), list[Float32]()
        for part in having:
            there = np.flatnonzero(part.has(name))
            rows.append(part.frames()[there[spread(len(there), each)], first:end])
        return np.concatenate(rows)
