"""Draws from a mixture, one after the other without replacement, each with its chance.

Draw m takes row i with the chance

    q_m(i) = sum over parts k of share_k * w_k(i) / sum of w_k over the rows that are left,

which is recorded: `reeltag.active.estimates` needs it, and nothing else of how rows were drawn. A
part that has no rows left gives its share to the uniform one.

A part with fixed weights is an exponential race: keys E(i) / w(i) with E(i) standard exponential;
the smallest key among the rows that are left is a draw in proportion to w, however the other rows
went (the exponential distribution has no memory), so that the keys are sorted once.

Letters in shapes: N rows, W windows, D values of a feature, R rated windows.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reeltag.core.sparse import indptr_of

UNIFORM = "random"
_DRIFT = 1e-4  # of a sum, below which it is added up again


class DrawingPart(Protocol):
    """Weights of rows, of those that are left; a row that is taken has none any more."""

    def chance(self, row: int) -> float:
        """Return the chance of a row that is left in one draw; 0 where the part is used up."""

    def is_used_up(self) -> bool:
        """Return whether no row that is left has a weight."""

    def draw(self, rng: np.random.Generator) -> int:
        """Return a row that is left, drawn in proportion to the weights."""

    def take(self, row: int) -> None:
        """Remove a row."""


class Race:
    """Fixed weights.

    Args:
        weights: (N,) >= 0.
        count: draws, of all parts together, at most.
        rng: of the race.
    """

    def __init__(self, weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> None:
        self._weights = weights.copy()  # of the rows that are left
        self._total = self._at_least = float(weights.sum())
        self._left = int((weights > 0).sum())
        with np.errstate(divide="ignore"):
            keys = rng.exponential(size=len(weights)) / weights
        first = min(count, self._left)
        best = np.argpartition(keys, first - 1)[:first] if first else np.zeros(0, np.int64)
        self._order: list[int] = best[np.argsort(keys[best], kind="stable")].tolist()

    def chance(self, row: int) -> float:
        """Return the chance of a row that is left in one draw."""
        return 0.0 if self.is_used_up() else float(self._weights[row]) / self._total

    def is_used_up(self) -> bool:
        """Return whether no row that is left has a weight."""
        return self._left == 0

    def draw(self, rng: np.random.Generator) -> int:
        """Return the first row of the race that is left."""
        return next(row for row in self._order if self._weights[row] > 0)

    def take(self, row: int) -> None:
        """Remove a row."""
        self._left -= bool(self._weights[row] > 0)
        self._total -= float(self._weights[row])
        self._weights[row] = 0.0
        if self._total < _DRIFT * self._at_least:  # what was subtracted has its rounding
            self._total = self._at_least = float(self._weights.sum())


class Spread:
    """Rows of windows that are far from all that were rated or taken, by squared distance.

    The weight of a row is that of its class times the squared Euclidean distance from its window
    to the nearest one that was rated or taken: a random k-centre, which outliers alone cannot
    fill. Source: Arthur, Vassilvitskii, k-means++ (SODA 2007), section 2.

    Args:
        windows: (N,) window of each row, in [0, W).
        weights: (N,) >= 0, of the class of each row.
        features: (W, D).
        rated: (R, D) features of windows that were rated before.
    """

    def __init__(
        self,
        windows: NDArray[np.int64],
        weights: NDArray[np.float64],
        features: NDArray[np.float32],
        rated: NDArray[np.float32],
    ) -> None:
        self._windows, self._weights = windows, weights.copy()
        self._features, self._norms = features, np.einsum("wd,wd->w", features, features)
        self._rows = np.argsort(windows, kind="stable")
        self._indptr = indptr_of(np.bincount(windows, minlength=len(features)))
        self._of_window = np.bincount(windows, weights, minlength=len(features))
        self._nearest: NDArray[np.float32] = np.full(len(features), np.inf, np.float32)
        for first in range(0, len(rated), 64):
            self._approach(rated[first : first + 64])
        self._total = float(self._window_weights().sum())

    def chance(self, row: int) -> float:
        """Return the chance of a row that is left in one draw."""
        if self.is_used_up():
            return 0.0
        return float(self._distance()[self._windows[row]] * self._weights[row]) / self._total

    def is_used_up(self) -> bool:
        """Return whether all rows that are left are where a rated or taken one is."""
        return self._total <= 0

    def draw(self, rng: np.random.Generator) -> int:
        """Return a row: its window is drawn, then its class."""
        window = _drawn(self._window_weights(), rng)
        rows = self._rows[self._indptr[window] : self._indptr[window + 1]]
        return int(rows[_drawn(self._weights[rows], rng)])

    def take(self, row: int) -> None:
        """Remove a row; other rows of its window have a distance of 0 then."""
        window = self._windows[row]
        self._of_window[window] -= self._weights[row]
        self._weights[row] = 0.0
        self._approach(self._features[window : window + 1])
        self._total = float(self._window_weights().sum())

    def _approach(self, centres: NDArray[np.float32]) -> None:
        norms = np.einsum("rd,rd->r", centres, centres)
        squares = self._norms[:, None] - 2 * (self._features @ centres.T) + norms
        # what is left of rounding must not keep a copy of a centre in the race
        squares[squares < 1e-5 * (self._norms[:, None] + norms)] = 0
        np.minimum(self._nearest, squares.min(1), out=self._nearest)

    def _distance(self) -> NDArray[np.float32]:
        return np.where(np.isinf(self._nearest), np.float32(1), self._nearest)

    def _window_weights(self) -> NDArray[np.float64]:
        return np.multiply(self._distance(), np.maximum(self._of_window, 0), dtype=np.float64)


class Draws(NamedTuple):
    """Rows in the order in which they were drawn.

    Attributes:
        rows: (M,) each once.
        chances: (M,) in (0, 1], of each in its draw.
        parts: (M,) name of the part that drew it.
    """

    rows: NDArray[np.int64]
    chances: NDArray[np.float64]
    parts: tuple[str, ...]


def draw_mixture(
    parts: Mapping[str, DrawingPart],
    shares: Mapping[str, float],
    count: int,
    rng: np.random.Generator,
) -> Draws:
    """Return `count` draws.

    Args:
        parts: by name; `UNIFORM` is one of them and has a weight for each row.
        shares: of each part, > 0, together 1.
        count: at most the number of rows.
        rng: of the draws.
    """
    rows, chances, names = [], [], []
    for _ in range(count):
        live = {name: share for name, share in shares.items() if not parts[name].is_used_up()}
        live[UNIFORM] = live.get(UNIFORM, 0.0) + max(0.0, 1 - sum(live.values()))
        name = list(live)[_drawn(np.array(list(live.values())), rng)]
        row = parts[name].draw(rng)
        chances.append(sum(share * parts[part].chance(row) for part, share in live.items()))
        rows.append(row)
        names.append(name)
        for part in parts.values():
            part.take(row)
    return Draws(np.array(rows, np.int64), np.minimum(chances, 1.0), tuple(names))


def _drawn(weights: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Return a number, drawn in proportion to weights of which one is above 0."""
    upto = np.cumsum(weights)
    return int(np.searchsorted(upto, rng.random() * upto[-1], side="right"))
