"""What N items (videos or segments) are to be taught: sparse, from the index alone.

All that mends labels (reweighting, correlation targets, weak negatives, soft labels) turns one
`Targets` into another, and so never touches a frame; the loader writes them densely, a batch at a
time, as the `labels` and `weights` of a `FrameBatch`.

Shape letters: N items, E entries of all items, C classes, B items of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of N items, as lists: item i has the entries bounds[i] to bounds[i + 1].

    A class that an item does not list has the target 0, and weighs `rest` of that item.

    Attributes:
        bounds: (N + 1,) int64, from 0 to E.
        classes: (E,) int32; an item has each class at most once.
        values: (E,) float32 in [0, 1], the targets; None: all 1.
        weights: (E,) float32 >= 0, how much each entry counts; None: all 1.
        rest: float32 >= 0, how much the classes count that are not listed: a number for all
            items, or (N,). 0 = nobody rated them; 1 = they are known to be absent.
        counted: (C,) bool, the classes whose `rest` counts; None: all of them.
    """

    bounds: NDArray[np.int64]
    classes: NDArray[np.int32]
    values: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None
    rest: float | NDArray[np.float32] = 1.0
    counted: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.bounds) - 1

    @property
    def weighted(self) -> bool:
        """Whether anything counts other than 1, so that a batch needs weights."""
        if self.weights is not None or self.counted is not None:
            return True
        return bool(np.any(self.rest != 1.0))

    def item(self) -> NDArray[np.int64]:
        """Return (E,) the item of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def given_values(self) -> NDArray[np.float32]:
        """Return (E,) the target of each entry."""
        return np.ones(len(self.classes), np.float32) if self.values is None else self.values

    def given_weights(self) -> NDArray[np.float32]:
        """Return (E,) the weight of each entry."""
        return np.ones(len(self.classes), np.float32) if self.weights is None else self.weights

    def given_rest(self) -> NDArray[np.float32]:
        """Return (N,) the weight of what each item does not list."""
        return np.broadcast_to(np.float32(self.rest), (len(self),))

    def entries(self, items: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each entry of some items, its place in `items` and its place in the lists."""
        begin = self.bounds[items]
        count = self.bounds[items + 1] - begin
        row = np.repeat(np.arange(len(items)), count)
        skipped = begin - (np.cumsum(count) - count)
        return row, np.arange(len(row)) + skipped[row]

    def at(self, entries: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the target and the weight of some entries."""
        one = np.ones(len(entries), np.float32)
        values = one if self.values is None else self.values[entries]
        return values, one if self.weights is None else self.weights[entries]

    def taken(self, items: NDArray[np.int64]) -> "Targets":
        """Return the targets of some items (B,), in that order."""
        _, entry = self.entries(items)
        count = self.bounds[items + 1] - self.bounds[items]
        return Targets(
            bounds=np.append(0, np.cumsum(count)),
            classes=self.classes[entry],
            values=None if self.values is None else self.values[entry],
            weights=None if self.weights is None else self.weights[entry],
            rest=self.rest[items] if isinstance(self.rest, np.ndarray) else self.rest,
            counted=self.counted,
        )

    def extended(
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
            weights: (M,) how much each counts; None: all 1.
        """

        def joined(
            old: NDArray[np.float32] | None, new: NDArray[np.float32] | None
        ) -> NDArray[np.float32] | None:
            if old is None and new is None:
                return None
            old = np.ones(len(self.classes), np.float32) if old is None else old
            new = np.ones(len(classes), np.float32) if new is None else new
            return np.concatenate([old, new])[order]

        items = np.concatenate([self.item(), item])
        order = np.argsort(items, kind="stable")
        added = np.bincount(item, minlength=len(self))
        return replace(
            self,
            bounds=self.bounds + np.append(0, np.cumsum(added)),
            classes=np.concatenate([self.classes, classes.astype(np.int32)])[order],
            values=joined(self.values, values),
            weights=joined(self.weights, weights),
        )

    def only(self, kept: NDArray[np.bool_]) -> "Targets":
        """Return the targets without the entries (E,) that are not kept: they are not listed."""
        remaining = np.append(0, np.cumsum(kept))
        return replace(
            self,
            bounds=remaining[self.bounds],
            classes=self.classes[kept],
            values=None if self.values is None else self.values[kept],
            weights=None if self.weights is None else self.weights[kept],
        )


def concatenated(parts: Sequence[Targets]) -> Targets:
    """Return the targets of the items of all parts, one part after the other.

    What is the same for all of them stays as short as it was: no values, no weights, one `rest`.

    Raises:
        ValueError: no parts, or other classes count in one part than in another.
    """
    if not parts:
        raise ValueError("nothing to concatenate")
    counted = parts[0].counted
    for part in parts[1:]:
        same = part.counted is counted or (
            part.counted is not None
            and counted is not None
            and np.array_equal(part.counted, counted)
        )
        if not same:
            raise ValueError("the parts do not count the same classes")
    ends = np.cumsum([part.bounds[-1] for part in parts])
    shifted = [
        part.bounds[1:] + end - part.bounds[-1] for part, end in zip(parts, ends, strict=True)
    ]
    ones = all(part.values is None for part in parts)
    alike = all(part.weights is None for part in parts)
    rests = {part.rest for part in parts if isinstance(part.rest, float | int)}
    common = len(rests) == 1 and not any(isinstance(part.rest, np.ndarray) for part in parts)
    return Targets(
        bounds=np.concatenate([[0], *shifted]),
        classes=np.concatenate([part.classes for part in parts]),
        values=None if ones else np.concatenate([part.given_values() for part in parts]),
        weights=None if alike else np.concatenate([part.given_weights() for part in parts]),
        rest=rests.pop() if common else np.concatenate([part.given_rest() for part in parts]),
        counted=counted,
    )
