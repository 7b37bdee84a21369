"""What to rate next: pairs of a window and a class, by what their ratings are likely to bring.

A policy is a mixture: with the chance `share` a pair is drawn at random among all, so that every
pair has a known chance and estimates stay unbiased; otherwise by one of

    unsure     how near the finder's logit is to the threshold of the class
    disputed   how much the members of an ensemble (or passes with dropout) differ, as the
               standard deviation of their probabilities
    likely     how high the logit is: what a search would show first
    different  how far the features of the window are from those of all that was rated
    labelled   whether the class is a (noisy) label of the video: to learn where in it the class is

The first three draw by rank r, best first, in proportion to r^-sharpness: the best pairs most of
the time, and never only they. Source: Kirsch et al., Stochastic batch acquisition (TMLR 2023),
"softrank". A policy with `balanced` ranks the pairs of each class apart, and prefers classes of
which little was rated.

Letters in shapes: N pairs, W windows, C classes, D values of a feature, M members, R rated windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from reeltag.active.drawing import UNIFORM, DrawingPart, Race, Spread, draw_mixture
from reeltag.core.errors import ConfigError
from reeltag.core.probability import sigmoid

PolicyName: TypeAlias = Literal[
    "balanced", "random", "uncertainty", "disagreement", "diversity", "likely"
]
Criterion: TypeAlias = Literal["unsure", "disputed", "likely", "different", "labelled"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """N pairs of a window and a class that are not rated yet.

    Attributes:
        windows: (N,) number of the window, in [0, W).
        classes: (N,) number of the class, in [0, C).
        logits: (N,) the finder's; None = there is none.
        thresholds: (N,) logits from which on the class counts as there; None = 0.
        members: (M, N) logits of an ensemble; None = there is none.
        features: (W, D) that windows are compared by, as Euclidean distances; None = none.
        rated_features: (R, D) of the windows that were rated; None = none.
        num_ratings: (C,) of each class so far; None = none.
        labelled: (N,) bool, whether the video is labelled with the class; None = not known.
    """

    windows: NDArray[np.int64]
    classes: NDArray[np.int64]
    logits: NDArray[np.floating] | None = None
    thresholds: NDArray[np.floating] | None = None
    members: NDArray[np.floating] | None = None
    features: NDArray[np.float32] | None = None
    rated_features: NDArray[np.float32] | None = None
    num_ratings: NDArray[np.int64] | None = None
    labelled: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True, kw_only=True)
class PolicyMixture:
    """A policy.

    Attributes:
        parts: what is not drawn at random is drawn by these, in these proportions.
        balanced: whether classes of which little was rated are preferred.
        sharpness: exponent of the rank; 0 = all pairs alike.
    """

    parts: Mapping[Criterion, float]
    balanced: bool = False
    sharpness: float = 1.0


POLICIES: Mapping[PolicyName, PolicyMixture] = {
    "balanced": PolicyMixture(
        parts={"unsure": 1.0, "labelled": 1.0, "different": 0.2}, balanced=True
    ),
    "random": PolicyMixture(parts={}),
    "uncertainty": PolicyMixture(parts={"unsure": 1.0}),
    "disagreement": PolicyMixture(parts={"disputed": 1.0}),
    "diversity": PolicyMixture(parts={"different": 1.0}),
    "likely": PolicyMixture(parts={"likely": 1.0}),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class RatingChoice:
    """Pairs to rate, in the order in which they were drawn.

    Attributes:
        rows: (M,) numbers of candidates.
        chances: (M,) in (0, 1], with which each was drawn among those that were left.
        reasons: (M,) "random", or the criterion that each was drawn by.
    """

    rows: NDArray[np.int64]
    chances: NDArray[np.float64]
    reasons: tuple[str, ...]


def choose(
    candidates: Candidates,
    count: int,
    policy: PolicyName | PolicyMixture,
    rng: np.random.Generator,
    *,
    share: float = 0.2,
) -> RatingChoice:
    """Return the pairs to rate next; fewer than `count` where there are fewer candidates.

    Criteria that the candidates lack columns for are left out; without any, draws are random.

    Args:
        candidates: of them.
        count: how many, >= 0.
        policy: by name, or a mixture.
        rng: of the draws.
        share: that is drawn at random, in (0, 1]. No pair then weighs more than 1 / share times as
            much as in a random sample.

    Raises:
        ConfigError: a value is out of range, or there is no such policy.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"must be in (0, 1], got {share}", where="share of random ones")
    if count < 0:
        raise ConfigError(f"must be at least 0, got {count}", where="number of windows to rate")
    if isinstance(policy, str) and policy not in POLICIES:
        allowed = ", ".join(get_args(PolicyName))
        raise ConfigError(f"there is no {policy!r}; there are {allowed}", where="policy")
    mixture = POLICIES[policy] if isinstance(policy, str) else policy
    count = min(count, len(candidates))
    if not count:
        return RatingChoice(rows=np.zeros(0, np.int64), chances=np.zeros(0), reasons=())
    columns = {
        "unsure": candidates.logits,
        "disputed": candidates.members,
        "likely": candidates.logits,
        "different": candidates.features,
        "labelled": candidates.labelled,
    }
    usable = {
        name: weight
        for name, weight in mixture.parts.items()
        if weight > 0 and columns[name] is not None
    }
    weights = _class_weights(candidates, mixture.balanced)
    parts: dict[str, DrawingPart] = {UNIFORM: Race(np.ones(len(candidates)), count, rng)}
    for name in usable:
        parts[name] = _part(name, candidates, weights, mixture, count, rng)
    shares = {UNIFORM: share if usable else 1.0}
    whole = sum(usable.values())
    shares |= {name: (1 - share) * weight / whole for name, weight in usable.items() if share < 1}
    drawn = draw_mixture(parts, shares, count, rng)
    return RatingChoice(rows=drawn.rows, chances=drawn.chances, reasons=drawn.parts)


def _class_weights(candidates: Candidates, balanced: bool) -> NDArray[np.float64]:
    """Return (N,) weights; where balanced, those of a class sum to 1 / (1 + its ratings)."""
    if not balanced:
        return np.ones(len(candidates))
    of_class = np.bincount(candidates.classes).astype(np.float64)
    if candidates.num_ratings is not None:
        of_class *= 1 + candidates.num_ratings[: len(of_class)]
    return 1 / of_class[candidates.classes]


def _part(
    name: Criterion,
    candidates: Candidates,
    weights: NDArray[np.float64],
    mixture: PolicyMixture,
    count: int,
    rng: np.random.Generator,
) -> DrawingPart:
    """Return the part of a criterion; `weights` (N,) are those of classes."""
    if name == "different":
        features, rated = candidates.features, candidates.rated_features
        assert features is not None
        rated = features[:0] if rated is None else rated
        return Spread(candidates.windows, weights, features, rated)
    if name == "labelled":
        assert candidates.labelled is not None
        return Race(weights * candidates.labelled, count, rng)
    groups = candidates.classes if mixture.balanced else np.zeros(len(candidates), np.int64)
    of_rank = _ranks(_badness(name, candidates), groups) ** -mixture.sharpness
    ranked, wanted = np.bincount(groups, of_rank), np.bincount(groups, weights)
    return Race(of_rank * wanted[groups] / ranked[groups], count, rng)


def _badness(name: Criterion, candidates: Candidates) -> NDArray[np.float64]:
    """Return (N,) what is small for the pairs that are to be rated first."""
    if name == "disputed":
        assert candidates.members is not None
        return np.asarray(-sigmoid(candidates.members).std(0), np.float64)
    assert candidates.logits is not None
    logits = candidates.logits.astype(np.float64)
    if name == "likely":
        return -logits
    distance: NDArray[np.float64] = np.abs(
        logits - (0.0 if candidates.thresholds is None else candidates.thresholds)
    )
    return distance


def _ranks(badness: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) the rank of each within its group, 1 = least bad."""
    order = np.lexsort((badness, groups))
    ranked = groups[order]
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1) - np.searchsorted(ranked, ranked)
    return ranks
