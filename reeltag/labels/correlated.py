"""Targets for classes that nobody rated, from those that were: a BMW is a Car in 97 of 100 videos.

Shape letters: N items, E entries of all items, C classes, Q classes that entries imply.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.labels.cells import is_among
from reeltag.labels.correlation import Implications
from reeltag.labels.targets import Targets


def correlated(
    targets: Targets,
    implications: Implications,
    *,
    mode: Literal["sum", "max"] = "sum",
    weight: float | None = None,
) -> Targets:
    """Return the targets with those added that are implied by what was rated.

        y'_j = min(1, y_j + sum_i y_i P'_ij)      for classes j that are not rated; else y_j

    over the rated classes i of an item: a positive adds its row of P', a negative nothing, a soft
    label its share. Nothing is implied in turn by what was implied. Cost: that of sorting Q.
    Source: papers/autohome2019 sec. 3.3 eq. 5 and 6; readings in reference/segment-level.md 5.3-1.

    Args:
        targets: of N items; an entry that weighs 0 is not rated.
        implications: P' at a threshold; without any, the targets come back as they are.
        mode: what several rated classes imply together: the sum, or the largest of them.
        weight: of the new targets, >= 0; None: as an unrated class of that item. Classes that do
            not count (`counted`) get none.

    Raises:
        ValueError: the weight is negative or not finite.
    """
    if weight is not None and not 0 <= weight < math.inf:
        raise ValueError(f"weight must be >= 0 and finite, got {weight}")
    num_classes = len(implications.bounds) - 1
    rated = targets.given_weights() > 0
    listed = targets.item() * num_classes + targets.classes
    cells, shares = _implied(targets, rated, implications)
    new = ~is_among(cells, np.sort(listed[rated]))
    if targets.counted is not None:
        new &= targets.counted[cells % num_classes]
    cells, place = np.unique(cells[new], return_inverse=True)
    if not len(cells):
        return targets
    values = np.zeros(len(cells))
    (np.add if mode == "sum" else np.maximum).at(values, place, shares[new])
    item, classes = np.divmod(cells, num_classes)
    given = targets.given_rest()[item] if weight is None else np.full(len(item), weight, np.float32)
    unrated = ~is_among(listed, cells)  # what was listed at weight 0 makes room
    kept = targets if unrated.all() else targets.only(unrated)
    return kept.extended(item, classes, np.minimum(values, 1).astype(np.float32), given)


def _implied(
    targets: Targets, rated: NDArray[np.bool_], implications: Implications
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (Q,) item * C + j and y_i P'_ij of all that rated classes imply, repeats included."""
    values = targets.given_values()
    source = np.flatnonzero(rated & (values > 0))
    begin = implications.bounds[targets.classes[source]]
    count = implications.bounds[targets.classes[source] + 1] - begin
    place = np.arange(count.sum()) + np.repeat(begin - (np.cumsum(count) - count), count)
    source = np.repeat(source, count)
    num_classes = len(implications.bounds) - 1
    cells = targets.item()[source] * num_classes + implications.implied[place]
    return cells, values[source] * implications.probs[place]
