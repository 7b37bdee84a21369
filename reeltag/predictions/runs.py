"""Stretches of a curve above a threshold, found block by block: what a block needs of the last one.

A *run* is a stretch of steps at which the curve of a class is at least its low threshold. Runs
that reach the high threshold are kept, and joined over short gaps. Steps come in blocks of any
size; a run that touches the end of a block, or that could be joined with one to come, is held back
until the next one. What is held is some rows per class, whatever the length of the video.

Letters in shapes: R runs, C classes, n steps of a block.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

ROUNDING = 4 * float(np.finfo(np.float32).eps)  # by which means of equal values may differ
_EQUAL = np.float32(1 - ROUNDING)


@dataclass(frozen=True, eq=False)
class Runs:
    """R runs, in columns.

    Attributes:
        videos: (R,) number of the video.
        classes: (R,).
        begin: (R,) first step.
        end: (R,) one past the last step.
        peak: (R,) the curve's highest value.
        peak_step: (R,) the first step that has it, but for rounding.
        sum_begin: (R,) float64, the sum of the class's probabilities before `begin`, counted from
            the start of the next block: <= 0 for what is held.
        sum_end: (R,) float64, that sum before `end`.
    """

    videos: NDArray[np.int64]
    classes: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    peak: NDArray[np.floating]
    peak_step: NDArray[np.int64]
    sum_begin: NDArray[np.float64]
    sum_end: NDArray[np.float64]

    def __len__(self) -> int:
        """Return R."""
        return len(self.classes)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the columns by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def take(self, rows: NDArray[np.generic]) -> Self:
        """Return some rows, by number or mask."""
        return type(self)(*(column[rows] for column in self.columns().values()))

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Return the rows of all parts; at least one must be given."""
        return cls(*map(np.concatenate, zip(*(p.columns().values() for p in parts), strict=True)))

    @classmethod
    def none(cls) -> Self:
        """Return no rows."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, whole, whole, whole, real, whole, real, real)

    def joined(self, gap: int) -> Self:
        """Return runs by class, video and step; those at most `gap` steps apart become one."""
        if not len(self):
            return self
        runs = self.take(np.lexsort((self.begin, self.videos, self.classes)))
        follows = np.zeros(len(runs), bool)
        follows[1:] = (
            (runs.classes[1:] == runs.classes[:-1])
            & (runs.videos[1:] == runs.videos[:-1])
            & (runs.begin[1:] - runs.end[:-1] <= gap)
        )
        firsts = np.flatnonzero(~follows)
        if len(firsts) == len(runs):
            return runs
        lasts = np.append(firsts[1:], len(runs)) - 1
        peak = np.maximum.reduceat(runs.peak, firsts)
        group = np.cumsum(~follows) - 1
        best = first_of_group(np.flatnonzero(runs.peak >= peak[group] * _EQUAL), group)
        return dataclasses.replace(
            runs.take(firsts),
            end=runs.end[lasts],
            peak=peak,
            peak_step=runs.peak_step[best],
            sum_end=runs.sum_end[lasts],
        )


class RunFinder:
    """Finds runs that reach a high threshold, block by block.

    Args:
        low_C: (C,) values that a run does not fall below; inf = the class has no runs.
        high_C: (C,) values that a run must reach somewhere, >= `low_C`.
        gap: runs of a class that are at most so many steps apart become one.
    """

    def __init__(self, low_C: NDArray[np.floating], high_C: NDArray[np.floating], gap: int) -> None:
        self._low, self._high, self._gap = low_C, high_C, gap
        self._held = Runs.none()

    def add(
        self,
        curve_Cn: NDArray[np.floating],
        videos: NDArray[np.int64],
        steps: NDArray[np.int64],
        front: tuple[int, int],
    ) -> Runs:
        """Return the runs that no later step can change.

        Args:
            curve_Cn: (C, n) probabilities; -inf where no window is.
            videos: (n,) the video of each step. Between two videos a step must be at -inf.
            steps: (n,) the number of each step in its video.
            front: video and step that come after this block.
        """
        some = np.any(curve_Cn >= self._low[:, None], axis=1)
        some[self._held.classes] = True
        active = np.flatnonzero(some)
        sums = np.zeros((len(active), len(steps) + 1))
        curve = curve_Cn if len(active) == len(some) else curve_Cn[active]
        np.cumsum(np.maximum(curve, 0), axis=1, dtype=np.float64, out=sums[:, 1:])
        new = self._runs(curve, active, sums, videos, steps)
        finished, held = self._settle(Runs.concatenate([self._held, new]).joined(0), front)
        totals = np.zeros(len(some))
        totals[active] = sums[:, -1]
        self._held = dataclasses.replace(
            held,
            sum_begin=held.sum_begin - totals[held.classes],
            sum_end=held.sum_end - totals[held.classes],
        )
        return finished

    def renumber(self, video: int) -> None:
        """Give the video of the runs that are held, which is one, another number."""
        self._held = dataclasses.replace(self._held, videos=np.full(len(self._held), video))

    def _runs(
        self,
        curve_An: NDArray[np.floating],
        active: NDArray[np.int64],
        sums: NDArray[np.float64],
        videos: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> Runs:
        """Return the runs of a block, without those that cannot reach the high threshold."""
        num_classes, width = sums.shape  # n + 1: a last column of -inf ends the runs of a class
        curve = np.full((num_classes, width), -np.inf, curve_An.dtype)
        curve[:, :-1] = curve_An
        above = np.zeros(curve.size + 1, bool)
        above[1:] = (curve >= self._low[active, None]).ravel()
        edges = np.flatnonzero(above[1:] != above[:-1])
        if not len(edges):
            return Runs.none()
        flat = curve.ravel()
        begin, end, peak = edges[::2], edges[1::2], np.maximum.reduceat(flat, edges)[::2]
        at, column = begin // width, begin % width
        touches = (column == 0) | (end % width == width - 1)
        kept = touches | (peak >= self._high[active[at]])
        begin, end, peak, at, column = (x[kept] for x in (begin, end, peak, at, column))
        run = np.repeat(np.arange(len(begin)), end - begin)
        cells = np.arange(len(run)) + (begin - (np.cumsum(end - begin) - (end - begin)))[run]
        best = first_of_group(np.flatnonzero(flat[cells] >= peak[run] * _EQUAL), run)
        return Runs(
            videos=videos[column],
            classes=active[at],
            begin=steps[column],
            end=steps[column] + (end - begin),
            peak=peak,
            peak_step=steps[cells[best] % width],
            sum_begin=sums.ravel()[begin],
            sum_end=sums.ravel()[end],
        )

    def _settle(self, runs: Runs, front: tuple[int, int]) -> tuple[Runs, Runs]:
        """Return which runs are final, joined over gaps, and which must wait for later steps."""
        video, step = front
        high = runs.peak >= self._high[runs.classes]
        may_rise = runs.take(~high & (runs.videos == video) & (runs.end == step))
        kept = runs.take(high).joined(self._gap)
        next_begin = np.full(len(self._high), step)
        next_begin[may_rise.classes] = may_rise.begin
        waits = (kept.videos == video) & (next_begin[kept.classes] - kept.end <= self._gap)
        return kept.take(~waits), Runs.concatenate([may_rise, kept.take(waits)])


def first_of_group(rows: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of some rows in each group; every group has one.

    Args:
        rows: ascending.
        group: the group of every row: 0, 1, 2, ..., never falling.
    """
    of = group[rows]
    return rows[np.searchsorted(of, np.arange(of[-1] + 1 if len(of) else 0))]
