"""Precision, recall and average precision of all windows, from ratings that were chosen.

Chosen ratings are not like the windows that they stand for: a policy asks about the doubtful ones.
Each was drawn with a known chance q, so that it stands for 1 / q windows (Hansen, Hurwitz 1943):
sums with these weights are unbiased for all windows, and their ratios nearly so (Hajek 1971), as
long as the ratings did not train the finder whose scores they are compared with. Where the pool is
small and its size known, `levelled_weights` also counts that drawn pairs are not drawn again.

    precision at t = sum of w y [s >= t] / sum of w [s >= t]
    recall at t    = sum of w y [s >= t] / sum of w y

Intervals are at 95 %. Those of a proportion: by linearisation over videos, whose ratings are not
independent, a variance is found; n* independent ratings would have it; the interval is that of
Clopper and Pearson for n* (Korn, Graubard, Survey Methodology 24, 1998). Those of average
precision: bootstrap over videos.

Letters in shapes: N ratings, V videos, R replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from reeltag.core.errors import DataError
from reeltag.core.seeding import derive_seed
from reeltag.evaluation.thresholds import clopper_pearson

_REPLICATES = 200
_TAIL = 0.025
_UNSEEN = 0.1  # of the square of the heaviest rating, for windows like it of which none was drawn
_MOST = 1.5  # of Kish's number of independent ratings, that an interval is taken from


@dataclass(frozen=True, kw_only=True)
class WeightedEstimate:
    """A figure in [0, 1], estimated from ratings.

    Attributes:
        value: estimate.
        low: end of its 95 % interval.
        high: the other end.
        num_ratings: that it is estimated from.
    """

    value: float
    low: float
    high: float
    num_ratings: int


class DrawnRatings:
    """N ratings of a class.

    Args:
        scores: (N,) of the finder, on any monotone scale; the finder has not learned from them.
        is_positive: (N,) bool.
        weights: (N,) > 0, 1 / chance or `levelled_weights`; None = all alike, of a random sample.
        videos: (N,) whole numbers, the video of each; None = each has its own.

    Raises:
        DataError: the columns do not fit each other, a score is NaN or a weight not above 0.
    """

    def __init__(
        self,
        scores: ArrayLike,
        is_positive: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        videos: ArrayLike | None = None,
    ) -> None:
        self.scores = np.asarray(scores, np.float64)
        self.hits = np.asarray(is_positive, bool)
        number = len(self.scores)
        self.weights = np.ones(number) if weights is None else np.asarray(weights, np.float64)
        owners = np.arange(number) if videos is None else np.asarray(videos)
        if not self.scores.shape == self.hits.shape == self.weights.shape == owners.shape:
            columns = (self.scores, self.hits, self.weights, owners)
            shapes = ", ".join(str(column.shape) for column in columns)
            raise DataError(f"ratings must be columns of one length, got {shapes}")
        if np.isnan(self.scores).any():
            raise DataError("the score of a rating is not a number")
        if not (self.weights > 0).all() or np.isinf(self.weights).any():
            raise DataError("the weight of a rating must be above 0 and finite")
        self.videos = np.unique(owners, return_inverse=True)[1].reshape(-1)

    def __len__(self) -> int:
        return len(self.scores)


def precision_at(ratings: DrawnRatings, threshold: float) -> WeightedEstimate | None:
    """Return the fraction of positives among windows with a score >= threshold.

    Args:
        ratings: drawn with known chances.
        threshold: score.

    Returns:
        None where no rating has such a score.
    """
    above = ratings.scores >= threshold
    return _proportion(ratings, above, ratings.hits, (above, above))


def recall_at(ratings: DrawnRatings, threshold: float) -> WeightedEstimate | None:
    """Return the fraction of positive windows that have a score >= threshold.

    Args:
        ratings: drawn with known chances.
        threshold: score.

    Returns:
        None where no rating is positive.
    """
    above = ratings.scores >= threshold
    return _proportion(ratings, ratings.hits, above, (above, ~above))


def _proportion(
    ratings: DrawnRatings,
    domain: NDArray[np.bool_],
    hits: NDArray[np.bool_],
    unseen: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> WeightedEstimate | None:
    """Return the fraction of `hits` (N,) in a domain (N,) of the windows.

    Args:
        ratings: drawn with known chances.
        domain: (N,) which count.
        hits: (N,) which of these are counted.
        unseen: (N,) ratings whose weights another hit, and another miss, could have.
    """
    if not domain.any():
        return None
    whole = float(ratings.weights[domain].sum())
    weights, hits, videos = ratings.weights[domain] / whole, hits[domain], ratings.videos[domain]
    value = min(1.0, float(weights[hits].sum()))  # sums of floats may be a little above
    of_video = np.bincount(videos, weights * (hits - value))
    num_videos = len(np.unique(videos))
    variance = num_videos / max(1, num_videos - 1) * float((of_video**2).sum())
    kish = 1 / float((np.bincount(videos, weights) ** 2).sum())
    heaviest = [float(ratings.weights[which].max(initial=0.0)) / whole for which in unseen]
    variance += _UNSEEN * sum(
        (weight * reach) ** 2 for weight, reach in zip(heaviest, (1 - value, value), strict=True)
    )
    if 0 < value < 1:
        number = value * (1 - value) / variance
    else:
        number = min(kish, 1 / max(heaviest[int(value > 0)], 1 / kish))
    if num_videos > 1:
        few, many = (float(student.ppf(1 - _TAIL, n - 1)) for n in (num_videos, len(weights)))
        number *= (many / few) ** 2
    number = max(1.0, min(number, _MOST * kish))
    low, high = clopper_pearson(value * number, number)
    return WeightedEstimate(value=value, low=low, high=high, num_ratings=len(ratings))


def average_precision(ratings: DrawnRatings, *, seed: int = 0) -> WeightedEstimate | None:
    """Return the average precision of the ranking of all windows by score.

        AP = sum of w y p / sum of w y,    p = precision at the rating's score,

    where a rating counts half in its own p: whole it would vouch for itself, and of its windows
    half are ranked above the others.

    Args:
        ratings: drawn with known chances.
        seed: of the bootstrap.

    Returns:
        None where no rating is positive, or all are of one video.
    """
    order = np.argsort(-ratings.scores, kind="stable")
    hits, videos, weights = ratings.hits[order], ratings.videos[order], ratings.weights[order]
    num_videos = int(videos.max(initial=-1)) + 1
    if not hits.any() or num_videos < 2:
        return None
    value = min(1.0, float(average_precisions(weights[None], hits)[0]))  # as above
    random = np.random.default_rng(derive_seed(seed, "bootstrap of average precision"))
    alike = np.full(num_videos, 1 / num_videos)
    copies_RV = random.multinomial(num_videos, alike, size=_REPLICATES)
    found = average_precisions(weights * copies_RV[:, videos], hits)
    of_hits = float(weights[hits].sum())
    variance = float(np.nanvar(found)) + _UNSEEN * (value * float(weights.max()) / of_hits) ** 2
    kish = 1 / float((np.bincount(videos[hits], weights[hits] / of_hits) ** 2).sum())
    number = max(1.0, min(value * (1 - value) / variance, _MOST * kish)) if value < 1 else kish
    low, high = clopper_pearson(value * number, number)
    return WeightedEstimate(value=value, low=low, high=high, num_ratings=len(ratings))


def average_precisions(
    weights_RN: NDArray[np.float64], hits: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (R,) average precisions of N ratings under R sets of weights, as `average_precision`.

    Args:
        weights_RN: (R, N) >= 0 of ratings in the order of their scores, highest first.
        hits: (N,) which are positive.

    Returns:
        NaN where no positive one has a weight.
    """
    of_hits_RN = weights_RN * hits
    pairs_RN = np.cumsum(weights_RN, 1) - weights_RN / 2
    found_RN = np.cumsum(of_hits_RN, 1) - of_hits_RN / 2
    gains_RN = np.divide(
        of_hits_RN * found_RN, pairs_RN, out=np.zeros_like(pairs_RN), where=of_hits_RN > 0
    )
    whole_R = of_hits_RN.sum(1)
    unknown_R = np.full(len(whole_R), np.nan)
    found_R: NDArray[np.float64] = np.divide(
        gains_RN.sum(1), whole_R, out=unknown_R, where=whole_R > 0
    )
    return found_R


def levelled_weights(chances: ArrayLike, pool_size: int) -> NDArray[np.float64]:
    """Return (M,) weights of M draws from a pool without replacement; of random ones all are 1.

        v_m = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q_m) - 1),    m = 1 ... M

    Means with these weights are unbiased for the whole pool, however q_m was chosen after the draws
    before. Source: Farquhar, Gal, Rainforth, On statistical bias in active learning (ICLR 2021),
    equation 9 (LURE).

    >>> levelled_weights([1 / 4, 1 / 3], 4).round(12).tolist()
    [1.0, 1.0]

    Args:
        chances: (M,) in (0, 1] of each draw among the pairs that were left, in order.
        pool_size: N >= M, before the first draw.

    Raises:
        DataError: a chance is out of range, or there are more draws than pairs.
    """
    q = np.asarray(chances, np.float64)
    if not ((q > 0) & (q <= 1)).all():
        raise DataError("a chance must be in (0, 1]")
    if len(q) > pool_size:
        raise DataError(f"{len(q)} draws from a pool of {pool_size}")
    m = np.arange(1, len(q) + 1)
    left = np.where(pool_size > m, pool_size - m, 1)
    weights: NDArray[np.float64] = 1 + (pool_size - len(q)) / left * (
        1 / ((pool_size - m + 1) * q) - 1
    )
    return weights
