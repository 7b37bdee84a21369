"""Moments as tables and JSON, and as what is exported."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import STDOUT, say
from reeltag.deploy.moment_formats.contract import ExportedMoment
from reeltag.predictions.interval_rows import Intervals
from reeltag.tagger.thresholds import Thresholds

SHOWN = 20  # moments of a class on the terminal
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

    def by_class(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield each class that is listed, and its moments."""
        found = self.found
        columns: list[NDArray[np.generic]] = [found.start_s, found.end_s, found.peak_s]
        columns += [found.peak_prob, found.mean_prob]
        names: tuple[str, ...] = _COLUMNS
        if self.ratings is not None:
            columns, names = [*columns, *self.ratings], (*names, "yes", "no")
        for c in sorted({*self.listed, *np.unique(found.classes).tolist()}):
            first, last = np.searchsorted(found.classes, [c, c + 1])
            ids = found.ids.slice(first, last - first).to_pylist()
            rows = zip(ids, *(column[first:last].tolist() for column in columns), strict=True)
            yield c, [dict(zip(names, row, strict=True)) for row in rows]

    def described(self) -> dict[str, Any]:
        """Return all lists, and the classes without a threshold, as plain JSON values."""
        classes = [
            {
                "class": c,
                "name": self.names[c],
                "threshold": None if self.ranked else self.thresholds.classes[c].prob,
                "precision": self.thresholds.classes[c].precision,
                "precision_interval": self.thresholds.classes[c].interval,
                "count": int(self.counts[c]),
                "moments": moments,
            }
            for c, moments in self.by_class()
        ]
        return {"classes": classes, "unreached": self.thresholds.unreached}

    def exported(self) -> list[ExportedMoment]:
        """Return all moments, in their order, as they are exported."""
        return [
            ExportedMoment(
                index=c,
                name=self.names[c],
                precision=self.thresholds.classes[c].precision,
                precision_interval=self.thresholds.classes[c].interval,
                **each,
            )
            for c, moments in self.by_class()
            for each in moments
        ]

    def print(self, windows: int) -> None:
        """Print a table for each class, of its 20 best moments at most."""
        nothing = True
        for c, moments in self.by_class():
            nothing = False
            title = f"{self.names[c]} (class {c}): {self._title(c, len(moments))}"
            STDOUT.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
            if moments:
                STDOUT.print(_table(moments[:SHOWN]), highlight=False, markup=False, soft_wrap=True)
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
