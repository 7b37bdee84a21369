"""Moments as tables and JSON, and as what is exported."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import STDOUT, say
from reeltag.deploy.moment_formats.contract import ExportedMoment
from reeltag.predictions.interval_rows import Intervals
from reeltag.tagger.thresholds import Thresholds

SHOWN = 20  # moments of a class on the terminal
_AT_ONCE = 10_000  # moments that are made at once
NAMED = 10  # classes without a threshold that are named
_COLUMNS = ("id", "start_s", "end_s", "peak_s", "prob", "mean_prob")


@dataclass(frozen=True, eq=False)
class MomentLists:
    """Moments by class, best first.

    Attributes:
        found: M intervals, in that order.
        names: C names of the classes.
        thresholds: of the classes.
        counts: (C,) moments of each class, those that are not listed included.
        listed: classes that are listed even where nothing was found.
        ratings: (M,) how many ratings within each are yes, and how many no; None: nothing is rated.
        ranked: whether they are ranked by how far they stand out, without thresholds.
    """

    found: Intervals
    names: tuple[str, ...]
    thresholds: Thresholds
    counts: NDArray[np.int64]
    listed: tuple[int, ...]
    ratings: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    ranked: bool = False

    def classes(self) -> Iterator[tuple[int, int, int]]:
        """Yield each class that is listed, and the places [first, last) of its moments."""
        found = self.found.classes
        for c in sorted({*self.listed, *np.unique(found).tolist()}):
            first, last = np.searchsorted(found, [c, c + 1]).tolist()
            yield c, first, last

    def rows(self, first: int, last: int) -> list[dict[str, Any]]:
        """Return the moments of some places."""
        found = self.found
        columns: list[NDArray[np.generic]] = [found.start_s, found.end_s, found.peak_s]
        columns += [self._peak_prob, found.mean_prob]
        names: tuple[str, ...] = _COLUMNS
        if self.ratings is not None:
            columns, names = [*columns, *self.ratings], (*names, "yes", "no")
        ids = found.ids.slice(first, last - first).to_pylist()
        cells = zip(ids, *(column[first:last].tolist() for column in columns), strict=True)
        return [dict(zip(names, row, strict=True)) for row in cells]

    @cached_property
    def _peak_prob(self) -> NDArray[np.float64]:
        return self.found.peak_prob

    def described(self) -> Iterator[dict[str, Any]]:
        """Yield each class that is listed, with its moments, as plain JSON values."""
        for c, first, last in self.classes():
            yield {
                "class": c,
                "name": self.names[c],
                "threshold": None if self.ranked else self.thresholds.classes[c].prob,
                "precision": self.thresholds.classes[c].precision,
                "precision_interval": self.thresholds.classes[c].interval,
                "count": int(self.counts[c]),
                "moments": self.rows(first, last),
            }

    def exported(self) -> "ListedMoments":
        """Return all moments, in their order, as they are exported."""
        return ListedMoments(self)

    def print(self, windows: int) -> None:
        """Print a table for each class, of its 20 best moments at most."""
        nothing = True
        for c, first, last in self.classes():
            nothing = False
            title = f"{self.names[c]} (class {c}): {self._title(c, last - first)}"
            STDOUT.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
            if shown := self.rows(first, min(last, first + SHOWN)):
                STDOUT.print(_table(shown), highlight=False, markup=False, soft_wrap=True)
        if nothing:
            STDOUT.print(f"no moment in {windows:,} windows", highlight=False)

    def _title(self, c: int, listed: int) -> str:
        """Return how many moments a class has, and how many of such are right."""
        of, count = self.thresholds.classes[c], int(self.counts[c])
        if of.logit is None and not self.ranked:
            return f"no threshold: {of.reason}"
        shown = min(SHOWN, listed)
        text = f"{count:,} moments" if count != 1 else "1 moment"
        if not count:
            text = "no moment"
        elif shown < count:
            text = f"best {shown:,} of {text}"
        if self.ranked:
            return f"{text} by how far they stand out"
        text += f" at a probability of {of.prob:.2f} or more"
        if of.precision is not None and of.interval is not None:
            low, high = of.interval
            text += (
                f"; precision {of.precision:.2f} ({low:.2f} to {high:.2f}) on {of.num_above:,} "
                "held-out ratings"
            )
        return text


class ListedMoments(Sequence[ExportedMoment]):
    """The moments of lists as objects, which are made as they are asked for.

    Args:
        lists: what they are of; in memory they are columns.
    """

    def __init__(self, lists: MomentLists) -> None:
        self._lists = lists

    def __len__(self) -> int:
        """Return M."""
        return len(self._lists.found)

    def __iter__(self) -> Iterator[ExportedMoment]:
        """Yield them in their order."""
        for first in range(0, len(self), _AT_ONCE):
            yield from self[first : first + _AT_ONCE]

    @overload
    def __getitem__(self, place: int) -> ExportedMoment: ...

    @overload
    def __getitem__(self, place: slice) -> list[ExportedMoment]: ...

    def __getitem__(self, place: int | slice) -> ExportedMoment | list[ExportedMoment]:
        """Return one, or those of a range."""
        places = range(len(self))[place]
        if isinstance(places, int):
            return self._made(places, places + 1)[0]
        if places and places.step == 1:
            return self._made(places.start, places.stop)
        return [self[at] for at in places]

    def _made(self, first: int, last: int) -> list[ExportedMoment]:
        lists = self._lists
        classes = lists.found.classes[first:last].tolist()
        known = [lists.thresholds.classes[c] for c in classes]
        return [
            ExportedMoment(
                index=c,
                name=lists.names[c],
                precision=of.precision,
                precision_interval=of.interval,
                **row,
            )
            for c, of, row in zip(classes, known, lists.rows(first, last), strict=True)
        ]


def log_unreached(thresholds: Thresholds, classes: Sequence[int]) -> None:
    """Log which of some classes have no threshold, and why; those without ratings in a number."""
    lost = [thresholds.classes[c] for c in classes if thresholds.classes[c].logit is None]
    if not lost:
        return
    promise = thresholds.precision
    what = "" if promise is None else f" that promises a precision of {promise:g}"
    say(f"{len(lost):,} of {len(classes):,} classes have no threshold{what}, and no moments:")
    rated = [each for each in lost if each.num_rated]
    for each in rated[:NAMED]:
        say(f"  {each.name}: {each.reason}")
    if len(rated) > NAMED:
        say(f"  and {len(rated) - NAMED:,} more, which --json names under unreached")
    if len(rated) < len(lost):
        say(f"  {len(lost) - len(rated):,} classes without ratings")


def _table(moments: list[dict[str, Any]]) -> str:
    """Return aligned columns; ids are whole, as one that is cut finds nothing."""
    rows = [("start", "end", "peak", "prob", "mean", "rated", "id")]
    for each in moments:
        times = [_seconds(each[name]) for name in ("start_s", "end_s", "peak_s")]
        rated = ", ".join(f"{each[kind]} {kind}" for kind in ("yes", "no") if each.get(kind))
        cells = f"{each['prob']:.4f}", f"{each['mean_prob']:.4f}", rated, each["id"]
        rows.append((*times, *cells))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    aligned = [_aligned(column) for column in columns]
    return "\n".join("  ".join(row).rstrip() for row in zip(*aligned, strict=True))


def _aligned(column: tuple[str, ...]) -> list[str]:
    """Return cells of one width: numbers to the right, words to the left."""
    width, words = max(map(len, column)), column[0] in ("rated", "id")
    return [cell.ljust(width) if words else cell.rjust(width) for cell in column]


def _seconds(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
