"""Where ids are in a long list of them, for blocks that go through it in its order."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class IdPlaces:
    """Looks ids up in a list, near those of the last look first.

    A look through all N ids costs N. Predictions are in the order of the videos: a block of them is
    found among the ids that follow the block before, at the cost of the block alone.

    Args:
        ids: (N,) strings; of ids that are there several times the first place counts.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self._next = 0  # behind the last id that was found
        self._are_single = pc.count_distinct(ids).as_py() == len(ids)

    def of(self, wanted: pa.Array) -> NDArray[np.int64]:
        """Return (M,) the place of each id, -1 where it is not in the list."""
        if not self._are_single:
            return _found(wanted, self.ids)
        begin = max(0, self._next - 1)  # the video of the last row may go on
        places = _found(wanted, self.ids.slice(begin, len(wanted) + 1))
        missing = places < 0
        places[~missing] += begin
        if missing.any():
            places[missing] = _found(wanted.filter(pa.array(missing)), self.ids)
        self._next = max(self._next, int(places.max(initial=-1)) + 1)
        return places


def _found(wanted: pa.Array, ids: pa.Array) -> NDArray[np.int64]:
    """Return the place of each in the ids, -1 where it is not there."""
    places = pc.fill_null(pc.index_in(wanted, value_set=ids), -1)
    return np.array(places.to_numpy(zero_copy_only=False), np.int64)
