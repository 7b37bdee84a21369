"""How much the classes count that somebody rated, and those that nobody rated: Targets -> Targets.

Of a rated segment almost always one class of thousands is rated. The starter code trains all
others as absent, the mask leaves them out; what stands here lies between the two.

Shape letters: N items, E entries of all items, C classes.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reeltag.labels.cells import distinct, is_among
from reeltag.labels.targets import Targets


def reweighted(targets: Targets, *, rated: float = 2.5, unrated: float = 0.1) -> Targets:
    """Return the targets with the weight `rated` on listed classes and `unrated` on all others.

    m = 1, n = 0 is the mask; m = n = 1 is the starter code, to which an unrated class is absent.
    Source: papers/autohome2019 sec. 3.2 eq. 3, where they are m and n; table 3 for the values.

    Args:
        targets: of N items. An entry that has a weight is multiplied by m: what is listed and yet
            not rated (weight 0) stays so.
        rated: m, >= 0.
        unrated: n, >= 0; the target of an unrated class is 0.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    for name, weight in (("rated", rated), ("unrated", unrated)):
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} must be >= 0 and finite, got {weight}")
    weights = targets.weights if rated == 1 else targets.given_weights() * np.float32(rated)
    return replace(targets, weights=weights, rest=float(unrated))


def counting(targets: Targets, counted: NDArray[np.bool_]) -> Targets:
    """Return the targets with unrated classes left out unless they are `counted` (C,).

    Rated classes count wherever they are. Source: reference/segment-level.md 5.3-3: only 1000 of
    3862 classes are asked for, and the easy negatives of the others outweigh what was rated.
    """
    if targets.counted is not None:
        counted = counted & targets.counted
    return replace(targets, counted=counted)


def weak_negatives(
    targets: Targets, video_labels: Targets, num_classes: int, *, alpha: float = 1.0
) -> Targets:
    """Return the targets with every class that the video does not have as a faint negative.

        loss = sum_{i rated} CE(p_i, y_i) + alpha / |A - V| * sum_{i in A - V, unrated} CE(p_i, 0)

    for the classes A that count and the labels V of the item's video. The video's own labels, of
    which nobody said whether they hold for this segment, weigh 0. An item whose video has all
    classes that count has no negatives. Source: reference/segment-level.md 3.2 (2nd place of
    2019); a class that is rated and no label of the video keeps its rating alone.

    Args:
        targets: of N items; their `counted` are A, or all C classes.
        video_labels: labels of the video of each item, N of them.
        num_classes: C.
        alpha: what the negatives of an item weigh together, > 0.

    Raises:
        ValueError: alpha is not > 0 and finite, or the two are not of as many items.
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be > 0 and finite, got {alpha}")
    if len(video_labels) != len(targets):
        raise ValueError(f"{len(targets)} items, but the labels of {len(video_labels)} videos")
    own = distinct(video_labels.item() * num_classes + video_labels.classes)
    item, label = np.divmod(own, num_classes)
    counted = np.ones(num_classes, bool) if targets.counted is None else targets.counted
    others = counted.sum() - np.bincount(item[counted[label]], minlength=len(targets))
    rest = np.where(others > 0, alpha / np.maximum(others, 1), 0).astype(np.float32)
    unrated = ~is_among(own, np.sort(targets.item() * num_classes + targets.classes))
    nothing = np.zeros(int(unrated.sum()), np.float32)
    return replace(targets.extended(item[unrated], label[unrated], nothing, nothing), rest=rest)
