"""What more ratings would bring: a curve through the average precisions so far, and on from there.

    AP(n) = a - b * n^-c,    0 <= a <= 1, b >= 0

n is the number of ratings that a finder was trained on. Errors of classifiers fall by such power
laws of the number of examples (Hestness et al., Deep learning scaling is predictable, 2017;
Viering, Loog, The shape of learning curves, PAMI 2023). A few noisy points do not fix three
numbers, so no best curve is taken: all exponents c of a grid count by how well they fit (their
evidence), and so do all a and b that the noise of the points allows.

Letters in shapes: P points, E exponents, S samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reeltag.core.errors import DataError
from reeltag.core.seeding import derive_seed

FEWEST = 3  # points
_EXPONENTS = np.linspace(0.1, 1.5, 15)
_SAMPLES = 2000
_NOISE = 0.02  # of an average precision, as if measured twice beforehand
_NOISE_COUNTS = 2.0
_TAIL = 2.5  # per cent


@dataclass(frozen=True, kw_only=True)
class ExpectedGain:
    """What average precision gains by more ratings.

    Attributes:
        value: median, in [0, 1].
        low: end of its 95 % interval, >= 0.
        high: the other end.
        more: ratings.
        num_points: that it is estimated from.
    """

    value: float
    low: float
    high: float
    more: int
    num_points: int


def expected_gain(
    num_ratings: ArrayLike, average_precisions: ArrayLike, more: int = 50, *, seed: int = 0
) -> ExpectedGain | None:
    """Return what `more` ratings would add to the average precision after the most so far.

    Args:
        num_ratings: (P,) > 0, that each finder was trained on.
        average_precisions: (P,) of each, in [0, 1]; all on the same held-out ratings.
        more: ratings, >= 0.
        seed: of the samples.

    Returns:
        None with fewer than 3 different numbers of ratings.

    Raises:
        DataError: the columns do not fit each other, or a value is out of range.
    """
    counts, scores = np.asarray(num_ratings, np.float64), np.asarray(average_precisions, np.float64)
    if counts.shape != scores.shape or counts.ndim != 1:
        raise DataError(f"points must be columns of one length, got {counts.shape}, {scores.shape}")
    if not ((counts > 0).all() and ((scores >= 0) & (scores <= 1)).all() and more >= 0):
        raise DataError("numbers of ratings must be above 0, average precisions in [0, 1]")
    if len(np.unique(counts)) < FEWEST:
        return None
    random = np.random.default_rng(derive_seed(seed, "learning curve"))
    last = float(counts.max())
    gains, chances = [], []
    for exponent in _EXPONENTS:
        gain, chance = _gains(counts, scores, (last, last + more), exponent, random)
        gains.append(gain)
        chances.append(chance)
    weights = np.exp(np.array(chances) - max(chances))
    picked = random.choice(len(gains), size=_SAMPLES, p=weights / weights.sum())
    samples = np.array(gains)[picked, np.arange(_SAMPLES)]
    low, value, high = np.percentile(samples, [_TAIL, 50, 100 - _TAIL])
    return ExpectedGain(
        value=float(value), low=float(low), high=float(high), more=more, num_points=len(counts)
    )


def _gains(
    counts: NDArray[np.float64],
    scores: NDArray[np.float64],
    ends: tuple[float, float],
    exponent: float,
    random: np.random.Generator,
) -> tuple[NDArray[np.float64], float]:
    """Return (S,) gains between two counts for an exponent, and the log evidence for it.

    With x = (n / last)^-c the curve is a straight line a' - b' x: Bayes' linear regression with
    a normal prior of a and b and an inverse gamma prior of the noise (Bishop, Pattern recognition
    and machine learning, 2006, section 3.5).
    """
    first, last = ends
    x = (counts / first) ** -exponent
    design = np.stack([np.ones_like(x), -x], 1)
    prior_mean, prior_precision = np.array([0.7, 0.2]), np.eye(2) * (_NOISE / 0.5) ** 2
    precision = design.T @ design + prior_precision
    mean = np.linalg.solve(precision, design.T @ scores + prior_precision @ prior_mean)
    shape = (_NOISE_COUNTS + len(x)) / 2
    square = scores @ scores + prior_mean @ prior_precision @ prior_mean - mean @ precision @ mean
    rate = (_NOISE_COUNTS * _NOISE**2 + max(float(square), 0.0)) / 2
    evidence = -0.5 * np.linalg.slogdet(precision)[1] - shape * np.log(rate)
    noise = np.sqrt(rate / random.gamma(shape, size=_SAMPLES))
    factor = np.linalg.inv(np.linalg.cholesky(precision)).T
    lines = mean + noise[:, None] * (random.standard_normal((_SAMPLES, 2)) @ factor.T)
    top, drop = np.minimum(lines[:, 0], 1.0), np.maximum(lines[:, 1], 0.0)
    now = np.minimum(top - drop, 1.0)
    gains: NDArray[np.float64] = np.clip(top - drop * (last / first) ** -exponent - now, 0.0, 1.0)
    return gains, float(evidence)
