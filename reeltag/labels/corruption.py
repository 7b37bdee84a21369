"""Label noise: labels dropped and wrong ones added, to measure what helps against them.

Shape letters: N items, E entries of all items, C classes, W wrong labels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reeltag.core.seeding import mixed
from reeltag.core.sparse import distinct, is_among
from reeltag.labels.random_keys import id_keys
from reeltag.labels.targets import Targets

_ROUND_UP, _WRONG = 2**32, 2**33  # where the streams of an item's random numbers begin
_ROUNDS = 1000  # draws of a wrong label, then it is left out: where few classes hold all videos


def corrupted(
    targets: Targets,
    ids: Sequence[str],
    class_frequencies: NDArray[np.integer] | NDArray[np.floating],
    *,
    precision: float = 0.6,
    recall: float = 0.5,
    seed: int = 0,
) -> Targets:
    """Return the targets with some labels dropped and some wrong ones added.

    Each label stays with probability `recall`. An item of n labels gets n * recall *
    (1 - precision) / precision wrong ones (rounded up or down at random, so on average exactly),
    each drawn by class frequency, none twice, none of its true labels; `precision` is then the
    expected fraction of true labels. An item that has (nearly) all classes gets fewer. The noise of
    an item depends on its id, its labels, the frequencies and the seed alone, and not on its place
    or on the other items. Where both are 1 the targets come back unchanged.

    Args:
        targets: of N items, all of whose entries are true labels (no values).
        ids: of each item.
        class_frequencies: (C,) >= 0, in any unit; a class of 0 is never added.
        precision: in (0, 1].
        recall: in (0, 1].
        seed: random seed of the noise.

    Raises:
        ValueError: precision or recall is out of range, or the targets have values.
    """
    for name, fraction in (("precision", precision), ("recall", recall)):
        if not 0 < fraction <= 1:
            raise ValueError(f"{name} must be in (0, 1], got {fraction}")
    if targets.values is not None:
        raise ValueError("noise is for hard labels, not for ratings or soft labels")
    if precision == recall == 1:
        return targets
    keys = id_keys(ids, seed, "label noise")
    item = targets.row_of_entry()
    stays = _uniform(keys[item], targets.classes) < recall
    labels = targets.counts()
    wanted = labels * (recall * (1 - precision) / precision)
    whole = np.floor(wanted)
    number = whole + (_uniform(keys, np.array([_ROUND_UP])) < wanted - whole)
    wrong_item, wrong = _wrong_labels(targets, keys, number.astype(np.int64), class_frequencies)
    return targets.keep(stays).add_entries(wrong_item, wrong)


def _wrong_labels(
    targets: Targets,
    keys: NDArray[np.uint64],
    number: NDArray[np.int64],
    class_frequencies: NDArray[np.integer] | NDArray[np.floating],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (W,) item and class of the wrong labels, `number` (N,) for each item if there are.

    Drawn again until they are neither true nor drawn before for the same item, which is drawing
    without replacement.
    """
    num_classes = len(class_frequencies)
    upper = np.cumsum(class_frequencies, dtype=np.float64)
    upper /= upper[-1]  # exactly 1 from the last possible class on
    taken = distinct(targets.cells(num_classes))
    possible = class_frequencies > 0
    true = np.bincount(taken[possible[taken % num_classes]] // num_classes, minlength=len(keys))
    number = np.minimum(number, possible.sum() - true)
    item = np.repeat(np.arange(len(keys)), number)
    slot = np.arange(len(item)) - np.repeat(np.cumsum(number) - number, number)
    found = [np.empty(0, np.int64)]
    for again in range(_ROUNDS):
        if not len(item):
            break
        drawn = _uniform(keys[item], _WRONG + slot * _ROUNDS + again)
        cells = item * num_classes + np.searchsorted(upper, drawn, side="right")
        good = ~is_among(cells, taken)
        good[good] = _first_of_each(cells[good])
        found.append(cells[good])
        item, slot = item[~good], slot[~good]
        still = np.zeros(len(keys), bool)
        still[item] = True
        taken = taken[still[taken // num_classes]]
        taken = np.sort(np.concatenate([taken, cells[good]]))
    wrong_item, wrong = np.divmod(np.sort(np.concatenate(found)), num_classes)
    return wrong_item, wrong


def _first_of_each(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _uniform(keys: NDArray[np.uint64], number: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return random number `number` of the stream of each key, in [0, 1)."""
    return (mixed(keys, number) >> np.uint64(11)).astype(np.float64) * 2.0**-53
