"""Weights of rated and of unrated classes in the loss.

Of a segment almost always one class of thousands is rated. The starter code trains all others as
absent, the mask leaves them out; the transforms here are between the two.

Shape letters: N items, C classes.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reeltag.core.sparse import distinct, is_among
from reeltag.labels.targets import Targets


def reweighted(targets: Targets, *, rated: float = 2.5, unrated: float = 0.1) -> Targets:
    """Return the targets with the weight `rated` on listed classes and `unrated` on all others.

    m = 1, n = 0 is the mask; m = n = 1 is the starter code, to which an unrated class is absent.
    Source: Autohome 2019, sec. 3.2 eq. 3, where they are m and n; table 3 for the values.

    Args:
        targets: of N items. The weight of an entry is multiplied by m, so that an entry of weight 0
            stays unrated.
        rated: m, >= 0.
        unrated: n, >= 0; the target of an unrated class is 0.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    for name, weight in (("rated", rated), ("unrated", unrated)):
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} must be >= 0 and finite, got {weight}")
    weights = targets.weights if rated == 1 else targets.entry_weights() * np.float32(rated)
    return replace(targets, weights=weights, unlisted_weight=float(unrated))


def mask_classes(targets: Targets, class_mask: NDArray[np.bool_]) -> Targets:
    """Return the targets with the unrated classes outside `class_mask` (C,) at weight 0.

    Rated classes keep their weight. In 2019 only 1000 of 3862 classes are evaluated, and the easy
    negatives of the others outweigh the ratings.
    """
    if targets.class_mask is not None:
        class_mask = class_mask & targets.class_mask
    return replace(targets, class_mask=class_mask)


def weak_negatives(
    targets: Targets, video_labels: Targets, num_classes: int, *, alpha: float = 1.0
) -> Targets:
    """Return the targets with every class that the video does not have as a weak negative.

        loss = sum_{i rated} CE(p_i, y_i) + alpha / |A - V| * sum_{i in A - V, unrated} CE(p_i, 0)

    for the classes A of the `class_mask` and the labels V of the item's video. The video's own
    labels, unless rated for this segment, have weight 0. An item whose video has all of A has no
    negatives. Source: 2nd place of 2019 (Kaggle discussion 112929), with A = 1000 classes and alpha
    = 1; a class that is rated and no label of the video keeps its rating alone.

    Args:
        targets: of N items; A is their `class_mask`, or all C classes.
        video_labels: labels of the video of each item, N of them.
        num_classes: C.
        alpha: total weight of the negatives of an item, > 0.

    Raises:
        ValueError: alpha is not > 0 and finite, or the two are not of as many items.
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be > 0 and finite, got {alpha}")
    if len(video_labels) != len(targets):
        raise ValueError(f"{len(targets)} items, but the labels of {len(video_labels)} videos")
    own = distinct(video_labels.cells(num_classes))
    item, label = np.divmod(own, num_classes)
    mask = np.ones(num_classes, bool) if targets.class_mask is None else targets.class_mask
    others = mask.sum() - np.bincount(item[mask[label]], minlength=len(targets))
    weight = np.where(others > 0, alpha / np.maximum(others, 1), 0).astype(np.float32)
    unrated = ~is_among(own, np.sort(targets.cells(num_classes)))
    zero = np.zeros(int(unrated.sum()), np.float32)
    added = targets.add_entries(item[unrated], label[unrated], zero, zero)
    return replace(added, unlisted_weight=weight)
