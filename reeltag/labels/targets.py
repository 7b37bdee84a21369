"""Training targets of N items (videos or segments): sparse, from the index alone.

Every label transform (reweighting, correlation targets, weak negatives, soft labels) maps `Targets`
to `Targets`, and so never touches a frame; the loader writes them densely, a batch at a time, as
the `labels` and `weights` of a `FrameBatch`.

Letters in shapes: N items, E entries of all items, C classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from reeltag.core.sparse import SparseRows, indptr_of


@dataclass(frozen=True, eq=False)
class Targets(SparseRows):
    """The labels of N items; each item lists a class at most once.

    A class that an item does not list has the target 0 and the item's `unlisted_weight`.

    Attributes:
        values: (E,) float32 in [0, 1], the targets; None: all 1.
        weights: (E,) float32 >= 0, weight of each entry in the loss; None: all 1.
        unlisted_weight: weight >= 0 of the classes that are not listed: a number for all items, or
            (N,) float32. 0 = unknown; 1 = known to be absent.
        class_mask: (C,) bool, the classes that have an `unlisted_weight`, the others 0; None: all.
    """

    ROW_COLUMNS: ClassVar = ("unlisted_weight",)
    ENTRY_COLUMNS: ClassVar = ("classes", "values", "weights")

    values: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None
    unlisted_weight: float | NDArray[np.float32] = 1.0
    class_mask: NDArray[np.bool_] | None = None

    @property
    def weighted(self) -> bool:
        """Whether any weight is not 1, so that a batch needs weights."""
        if self.weights is not None or self.class_mask is not None:
            return True
        return bool(np.any(self.unlisted_weight != 1.0))

    def entry_values(self) -> NDArray[np.float32]:
        """Return (E,) the target of each entry."""
        return np.ones(len(self.classes), np.float32) if self.values is None else self.values

    def entry_weights(self) -> NDArray[np.float32]:
        """Return (E,) the weight of each entry."""
        return np.ones(len(self.classes), np.float32) if self.weights is None else self.weights

    def unlisted_weights(self) -> NDArray[np.float32]:
        """Return (N,) the weight of the classes that each item does not list."""
        return np.broadcast_to(np.float32(self.unlisted_weight), (len(self),))

    def at(self, entries: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the target and the weight of some entries."""
        one = np.ones(len(entries), np.float32)
        values = one if self.values is None else self.values[entries]
        return values, one if self.weights is None else self.weights[entries]

    def add_entries(
        self,
        item: NDArray[np.int64],
        classes: NDArray[np.integer],
        values: NDArray[np.float32] | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> "Targets":
        """Return the targets with further entries (M,), in each item after those it has.

        Args:
            item: (M,) of each new entry.
            classes: (M,) of each; the item must not list it yet.
            values: (M,) the target of each; None: all 1.
            weights: (M,) the weight of each; None: all 1.
        """
        ends = (np.array([0, len(column)]) for column in (self.classes, classes))
        old = Targets(next(ends), self.classes, self.values, self.weights)
        new = Targets(next(ends), classes.astype(np.int32), values, weights)
        order = np.argsort(np.concatenate([self.row_of_entry(), item]), kind="stable")
        indptr = self.indptr + indptr_of(np.bincount(item, minlength=len(self)))
        added = Targets.concatenate([old, new])._selected(indptr, None, order)
        return replace(added, unlisted_weight=self.unlisted_weight, class_mask=self.class_mask)

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Return the targets of the items of all parts, one part after the other.

        Args:
            parts: at least one, all with the same class mask.

        Raises:
            ValueError: there are no parts, or their class masks differ.
        """
        parts = [*parts]
        first = parts[0].class_mask if parts else None
        for mask in (part.class_mask for part in parts if part.class_mask is not first):
            if mask is None or first is None or not np.array_equal(mask, first):
                raise ValueError("the parts have different class masks")
        return super().concatenate(parts)
