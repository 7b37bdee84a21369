"""Times of windows, as rows of predictions hold them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reeltag.predictions.rows import WHOLE_VIDEO


def segments_at(starts: ArrayLike) -> NDArray[np.float64]:
    """Return (N, 2) times of segments of 5 s; a whole video where the start is `WHOLE_VIDEO`."""
    start = np.asarray(starts, np.float64)
    return np.stack([start, np.where(start == WHOLE_VIDEO, WHOLE_VIDEO, start + 5)], axis=1)
