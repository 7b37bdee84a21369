"""Correlation targets: classes that the rated ones imply, as BMW implies Car in 97 of 100 videos.

Shape letters: N items, C classes, Q implied entries.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.core.sparse import is_among
from reeltag.labels.correlation import Implications
from reeltag.labels.targets import Targets


def correlated(
    targets: Targets,
    implications: Implications,
    *,
    mode: Literal["sum", "max"] = "sum",
    share: float = 1.0,
    weight: float | None = None,
) -> Targets:
    """Return the targets with those added that are implied by what was rated.

        y'_j = share * min(1, sum_i y_i P'_ij)    for classes j that are not rated; else y_j

    over the rated classes i of an item: a positive adds its row of P', a negative nothing, a soft
    label y_i times its row. Implied targets imply nothing in turn. Cost: that of sorting Q.
    Source: Autohome 2019, sec. 3.3 eq. 5 and 6; its readings are in docs/reference/departures.md.

    Args:
        targets: of N items; an entry of weight 0 is not rated.
        implications: P' at a threshold; without any, the targets come back unchanged.
        mode: what several rated classes imply together: the sum, or the largest of them.
        share: what the new targets are multiplied by, in [0, 1]; 1 as published.
        weight: of the new targets, >= 0; None: the item's `unlisted_weight`. Classes outside the
            `class_mask` get none.

    Raises:
        ValueError: the share is out of range, or the weight negative or not finite.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    if weight is not None and not 0 <= weight < math.inf:
        raise ValueError(f"weight must be >= 0 and finite, got {weight}")
    num_classes = len(implications)
    rated = targets.entry_weights() > 0
    listed = targets.cells(num_classes)
    cells, shares = _implied(targets, rated, implications)
    new = ~is_among(cells, np.sort(listed[rated]))
    if targets.class_mask is not None:
        new &= targets.class_mask[cells % num_classes]
    cells, place = np.unique(cells[new], return_inverse=True)
    if not len(cells):
        return targets
    values = np.zeros(len(cells))
    (np.add if mode == "sum" else np.maximum).at(values, place, shares[new])
    item, classes = np.divmod(cells, num_classes)
    given = (
        targets.unlisted_weights()[item]
        if weight is None
        else np.full(len(item), weight, np.float32)
    )
    unrated = ~is_among(listed, cells)  # entries of weight 0 make room
    kept = targets if unrated.all() else targets.keep(unrated)
    implied = (share * np.minimum(values, 1)).astype(np.float32)
    return kept.add_entries(item, classes, implied, given)


def _implied(
    targets: Targets, rated: NDArray[np.bool_], implications: Implications
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (Q,) item * C + j and y_i P'_ij of all that rated classes imply, repeats included."""
    values = targets.entry_values()
    source = np.flatnonzero(rated & (values > 0))
    place, entries = implications.entries_of(targets.classes[source])
    source = source[place]
    cells = targets.row_of_entry()[source] * len(implications) + implications.classes[entries]
    return cells, values[source] * implications.values[entries]
