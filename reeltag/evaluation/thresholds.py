"""Thresholds for a precision that is promised: chosen on held-out ratings, kept on new data.

Of the ratings of a class whose score is at least t, n in number, h are positive. The precision
h / n of the best-looking t is too good: it was chosen for it (of 400 simulated classes, half then
missed the promise on new data). A threshold t is therefore taken only where h of n would be
unlikely, had t a precision below the promised p:

    P(at least h positives of n | p) <= 1 - confidence,

the one-sided bound of Clopper and Pearson. The smallest such t is chosen, for the most recall; of
those with the same recall, the highest. The bound is that of one t; that many are tried costs
little, since they share most ratings: simulated, at a confidence of 0.95, 3 to 5 % of classes
missed the promise.

Ratings of one video are not independent. Where the videos are known, the correlation r of the
ratings of a class in a video is estimated over all classes, among the ratings with the best scores
of each class, as many as it has positives; n ratings then count as

    n / (1 + (m - 1) * r),    m = sum over videos of (ratings of the video)^2 / n.

The promise is about windows that are drawn as the rated ones were: ratings of a model's best
windows alone say nothing of the others.

Letters in shapes: N ratings, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.probability import sigmoid
from reeltag.core.sparse import indptr_of
from reeltag.tagger.thresholds import ClassThreshold, Thresholds

_INTERVAL = 0.95


def choose_thresholds(
    scores: ArrayLike,
    is_positive: ArrayLike,
    classes: ArrayLike,
    names: Sequence[str],
    *,
    precision: float = 0.9,
    confidence: float = 0.95,
    videos: ArrayLike | None = None,
) -> Thresholds:
    """Return for each class the smallest threshold that promises a precision, or why none does.

    Args:
        scores: (N,) logits of rated windows that no training has seen.
        is_positive: (N,) whether each was rated positive.
        classes: (N,) the rated class of each, in [0, C).
        names: of the C classes.
        precision: that is promised, in (0, 1).
        confidence: that a class keeps the promise, in (0, 1).
        videos: (N,) whole numbers, the video of each; None = ratings are independent.

    Raises:
        ConfigError: precision or confidence is out of range.
        DataError: the columns do not fit each other, a class is unknown, or a score is NaN.
    """
    for name, value in (("precision", precision), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ConfigError(f"must be in (0, 1), got {value}", where=f"--{name}")
    owners = np.arange(np.size(scores)) if videos is None else np.asarray(videos)
    ratings = _Ratings.sorted(
        np.asarray(scores, np.float64),
        np.asarray(is_positive, bool),
        np.asarray(classes, np.int64),
        owners,
        len(names),
    )
    correlation = None if videos is None else ratings.correlation()
    promise = _Promise(precision, 1 - confidence, correlation or 0.0)
    chosen = tuple(
        promise.choose(names[c], *ratings.of_class(c), ratings.squares(c))
        for c in range(len(names))
    )
    return Thresholds(
        precision=precision, confidence=confidence, correlation=correlation, classes=chosen
    )


@dataclass(frozen=True, eq=False)
class _Ratings:
    """N ratings by class, in each class by falling score.

    Attributes:
        indptr: (C + 1,) where each class begins.
        scores: (N,).
        hits: (N,) bool.
        videos: (N,).
    """

    indptr: NDArray[np.int64]
    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    videos: NDArray[np.int64]

    @classmethod
    def sorted(
        cls,
        scores: NDArray[np.float64],
        hits: NDArray[np.bool_],
        classes: NDArray[np.int64],
        videos: NDArray[np.int64],
        num_classes: int,
    ) -> "_Ratings":
        if not scores.shape == hits.shape == classes.shape == videos.shape == (len(scores),):
            shapes = ", ".join(str(x.shape) for x in (scores, hits, classes, videos))
            raise DataError(f"ratings must be columns of one length, got {shapes}")
        if np.isnan(scores).any():
            raise DataError("the score of a rating is not a number")
        if ((classes < 0) | (classes >= num_classes)).any():
            raise DataError(f"the class of a rating is not in [0, {num_classes})")
        order = np.lexsort((-scores, classes))
        indptr = indptr_of(np.bincount(classes, minlength=num_classes))
        return cls(indptr, scores[order], hits[order], videos[order])

    def of_class(self, c: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the scores of a class, best first, and whether each is positive."""
        part = slice(self.indptr[c], self.indptr[c + 1])
        return self.scores[part], self.hits[part]

    def squares(self, c: int) -> NDArray[np.int64]:
        """Return for k = 1, 2, ... the sum over videos of (ratings among the k best)^2."""
        videos = self.videos[self.indptr[c] : self.indptr[c + 1]]
        order = np.argsort(videos, kind="stable")
        ranked = videos[order]
        before = np.empty(len(videos), np.int64)
        before[order] = np.arange(len(videos)) - np.searchsorted(ranked, ranked)
        squares: NDArray[np.int64] = np.cumsum(2 * before + 1)  # (b + 1)^2 - b^2
        return squares

    def correlation(self) -> float:
        """Return the correlation of ratings of a class and video, in [0, 1].

        It is 0 where no two ratings share both, and 1 where all that could be compared are alike.
        """
        residuals, groups = [], []
        for c in range(len(self.indptr) - 1):
            _, hits = self.of_class(c)
            best = hits[: hits.sum()]
            if len(best):
                begin = self.indptr[c]
                residuals.append(best - best.mean())
                groups.append(
                    np.unique(self.videos[begin : begin + len(best)], return_inverse=True)[1]
                )
        if not residuals:
            return 0.0
        offsets = np.cumsum([0, *(group.max() + 1 for group in groups)])
        group = np.concatenate([g + o for g, o in zip(groups, offsets[:-1], strict=True)])
        residual = np.concatenate(residuals)
        sums, counts = np.bincount(group, residual), np.bincount(group)
        pairs, squares = float((counts * (counts - 1)).sum()), float((residual**2).sum())
        if not pairs or not squares:
            return float(pairs > 0)  # all alike: nothing shows that they could differ
        together = (float((sums**2).sum()) - squares) / pairs
        return min(max(together / (squares / len(residual)), 0.0), 1.0)


@dataclass(frozen=True)
class _Promise:
    """A precision, the risk that a class misses it, and the correlation within a video."""

    precision: float
    risk: float
    correlation: float

    @property
    def fewest(self) -> int:
        """Independent ratings that are needed, if all are positive."""
        return int(np.ceil(np.log(self.risk) / np.log(self.precision) - 1e-9))

    def choose(
        self,
        name: str,
        scores: NDArray[np.float64],
        hits: NDArray[np.bool_],
        squares: NDArray[np.int64],
    ) -> ClassThreshold:
        """Return the threshold of a class, of its ratings by falling score."""
        number, positive = np.arange(1, len(hits) + 1), np.cumsum(hits)
        rated = len(hits), int(hits.sum())
        counts = number / (1 + (squares / number - 1) * self.correlation)  # independent ones
        found = counts * positive / number
        last = np.append(scores[1:] < scores[:-1], True)[: len(scores)]  # of equal scores
        risk = betainc(np.maximum(found, 1e-9), counts - found + 1, self.precision)
        kept = np.flatnonzero(last & (risk <= self.risk) & (scores > -np.inf))
        if not len(kept):
            reason = self._reason(positive / number, number, counts, last, rated[1])
            return ClassThreshold(
                name=name, num_rated=rated[0], num_positive=rated[1], reason=reason
            )
        k = int(kept[positive[kept] == positive[kept[-1]]][0])
        low, high = clopper_pearson(float(found[k]), float(counts[k]))
        return ClassThreshold(
            name=name,
            logit=float(scores[k]),
            prob=float(sigmoid(scores[k : k + 1])[0]),
            precision=float(positive[k] / number[k]),
            interval=(low, high),
            recall=float(positive[k] / rated[1]),
            num_above=k + 1,
            num_rated=rated[0],
            num_positive=rated[1],
        )

    def _reason(
        self,
        precision: NDArray[np.float64],
        number: NDArray[np.int64],
        counts: NDArray[np.float64],
        last: NDArray[np.bool_],
        num_positive: int,
    ) -> str:
        if num_positive < self.fewest:
            return f"too few positive ratings: {num_positive}, at least {self.fewest} are needed"
        enough = np.flatnonzero(last & (counts >= self.fewest))
        if not len(enough):
            return (
                f"too few videos: {number[-1]} ratings count as {counts[-1]:.0f} independent "
                f"ones, at least {self.fewest} are needed"
            )
        best = enough[np.argmax(precision[enough])]
        return f"best precision {precision[best]:.2f}, of {number[best]} ratings"


def clopper_pearson(hits: float, trials: float, level: float = _INTERVAL) -> tuple[float, float]:
    """Return the exact two-sided interval of the probability behind `hits` of `trials`.

    >>> [round(bound, 3) for bound in clopper_pearson(9, 10)]
    [0.555, 0.997]
    """
    tail = (1 - level) / 2
    low = betaincinv(hits, trials - hits + 1, tail) if hits > 0 else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - tail) if hits < trials else 1.0
    return float(low), float(high)
