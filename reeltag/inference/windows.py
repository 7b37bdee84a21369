"""Which segments of a video are scored: a regular grid, as YouTube-8M's."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEGMENT_SECONDS = 5  # of YouTube-8M


@dataclass(frozen=True)
class Grid:
    """Segments of `length` s that begin every `hop` s, but for the first and the last ones.

    Attributes:
        length: seconds of a segment.
        hop: seconds from the beginning of one to that of the next.
        skip_head: segments at the head of a video that are left out.
        skip_tail: segments at its tail that are left out, perhaps a partial one included.
        rate: frames/s.
    """

    length: float = SEGMENT_SECONDS
    hop: float = SEGMENT_SECONDS
    skip_head: int = 0
    skip_tail: int = 0
    rate: float = 1.0

    def count(self, num_frames: int) -> int:
        """Return how many segments a video has; the last one may be partial.

        >>> Grid().count(17), Grid(skip_head=1, skip_tail=2).count(17), Grid(hop=1).count(17)
        (4, 1, 17)
        """
        within = math.ceil(num_frames / self.rate / self.hop - 1e-9)
        return max(0, within - self.skip_head - self.skip_tail)

    def times(self, num_frames: int) -> NDArray[np.float64]:
        """Return (N, 2) the seconds at which they begin and end."""
        first, count = self.skip_head, self.count(num_frames)
        start = self.hop * np.arange(first, first + count, dtype=np.float64)
        return np.stack([start, start + self.length], axis=1)
