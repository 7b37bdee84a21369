"""Bootstrap intervals: how much would a score change if other videos were drawn?

Videos are drawn with replacement, as many as there are; all predictions, labels and rated segments
of a video go with it. A replicate is a number of copies for each video, so nothing is sorted or
looked up again. Letters in shapes: V videos, R replicates, C classes, N anything that is counted.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.console import track
from reeltag.core.seeding import derive_seed
from reeltag.metrics.video_weights import MOST_IN_BAG, VideoWeights

_AT_ONCE = 120  # replicates: 128 bytes per video, two lines of the processor's cache
_DRAWN = 16  # replicates that wait to be written into the table: a byte per video each
_INSIDE = 95.0  # per cent of the replicates that are within an interval


class Bootstrap:
    """A fixed set of replicates: each pass over them is the same.

    Args:
        evaluated: (V,) bool, the videos that are drawn from; the others count 0 times.
        replicates: how many; 0 = no intervals.
        seed: of the draws. A replicate depends on the seed, its number and `evaluated` alone.
        quiet: show no progress.
    """

    def __init__(
        self, evaluated: NDArray[np.bool_], replicates: int, seed: int, *, quiet: bool = True
    ) -> None:
        self.replicates = replicates
        self._quiet = quiet
        self._drawn_from = np.flatnonzero(evaluated)
        self._num_videos = len(evaluated)
        self._seed = seed

    def weights(self, what: str = "") -> Iterator[VideoWeights]:
        """Yield the copies of each video, some replicates at a time.

        Args:
            what: name of what is bootstrapped, shown with the progress; "" = none is shown.
        """
        firsts = range(0, self.replicates, _AT_ONCE)
        for first in firsts if self._quiet or not what else track(firsts, f"bootstrap of {what}"):
            numbers = range(first, min(first + _AT_ONCE, self.replicates))
            with ThreadPoolExecutor(torch.get_num_threads()) as pool:
                some = (numbers[at : at + _DRAWN] for at in range(0, len(numbers), _DRAWN))
                drawn = chain.from_iterable(pool.map(self._draw, of) for of in some)
                weights = VideoWeights(drawn, self._num_videos, len(numbers))
            yield weights

    def _draw(self, number: int) -> Tensor:
        random = np.random.default_rng(derive_seed(self._seed, "bootstrap", number))
        chosen = random.integers(len(self._drawn_from), size=len(self._drawn_from))
        counts = np.bincount(chosen, minlength=len(self._drawn_from))
        # more than 255 copies of one of n videos: never of n < 256, else about once in 256! / n
        copies = counts.astype(np.uint8)
        if len(copies) < self._num_videos:
            drawn, copies = copies, np.zeros(self._num_videos, np.uint8)
            copies[self._drawn_from] = drawn
        return torch.from_numpy(copies)


def interval(value: float, replicates: NDArray[np.float64]) -> list[float] | None:
    """Return [low, high]: `value` and the middle 95 % of the replicates about their own mean.

    Drawing videos twice moves a mean of average precisions (a rare class loses its only positive,
    or gains a copy of it), so the replicates of mAP are off the value rather than about it; how
    far they scatter is what they measure. For a score without that bias, as GAP, this is the plain
    percentile interval. Cut to [0, 1]; None where no replicate has a value.
    """
    replicates = replicates[np.isfinite(replicates)]
    if not len(replicates):
        return None
    tail = (100 - _INSIDE) / 2
    edges = value + np.percentile(replicates, [tail, 100 - tail]) - replicates.mean()
    return [float(edge) for edge in edges.clip(0.0, 1.0)]


class ClassCounts:
    """Counts (C, R) of things that belong to a class and to a video, under many weights.

    Args:
        classes: (N,) of each thing.
        owners: (N,) the video of each.
        num_classes: C.
    """

    def __init__(
        self, classes: NDArray[np.integer], owners: NDArray[np.int64], num_classes: int
    ) -> None:
        counts = np.bincount(classes, minlength=num_classes)
        ends = counts.cumsum()
        bags = np.union1d((ends - counts)[counts > 0], np.arange(0, len(owners), MOST_IN_BAG))
        self._owners = torch.from_numpy(owners[np.argsort(classes, kind="stable")])
        self._bags = torch.from_numpy(bags)
        self._classes = torch.from_numpy(np.searchsorted(ends, bags, side="right"))
        self.counts = torch.from_numpy(counts)

    def weighted(self, weights: VideoWeights) -> Tensor:
        """Return (C, R) float64."""
        count_CR = torch.zeros(len(self.counts), weights.replicates, dtype=torch.double)
        if len(self._bags):
            sums = weights.sums(self._owners, self._bags)
            count_CR.index_add_(0, self._classes, sums.double())
        return count_CR
