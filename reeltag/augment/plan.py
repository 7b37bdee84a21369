"""Which videos are dropped, and around which new ones are made, by the rarest label.

The *decision label* of a video is the rarest of its labels, n videos of the split having it. With
P = 10,000 and d = 2 decades, a label of n videos should have about

    t(n) = (log10(n / P) / d + 1) * P

    n > P    sub-sampling: one of int(n / t) of its videos is kept, by a hash of the id
    n <= P   over-sampling: around each video, int(alpha * t / n + 1) neighbours are looked for

The number of neighbours grows as labels get rarer, up to 8 where n = e * P / 10^d (272); below it
falls, and is 0 for n < 100, where t is negative. "Fewer examples, more neighbours" is meant: by
default labels that are rarer than that have as many as there (`rare`).

Source: Axon AI 2018, sec. 3.1, and the authors' code, which has the formula. Everything here comes
from the index alone; no vector is read. Memory: 25 bytes per video.

Shape letters: V videos, E labels of all videos, C classes.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from reeltag.core.bounds import CheckedFields
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.data.items import VideoSet

YT8M_VIDEOS = 5_001_275  # that the paper augments, to 23,590,464
PUBLISHED_PIVOT = 10_000


@dataclass(frozen=True, kw_only=True)
class PlanConfig(CheckedFields):
    """How many samples a label should have, by how many it has."""

    pivot: Annotated[float, Ge(1)] | Literal["auto"] = PUBLISHED_PIVOT
    """Videos of a label above which it is sub-sampled, and up to which it is over-sampled. auto:
    10,000 for as many videos as YouTube-8M's 5,001,275, and in proportion for fewer or more."""
    decades: Annotated[float, Ge(0.5)] = 2.0
    """A label this many powers of ten above the pivot should have twice the pivot; one as many
    below it nothing, by the formula (but see --rare). At least 0.5."""
    alpha: Annotated[float, Gt(0), Le(1000)] = 1.0
    """Strength of the over-sampling: int(alpha * t / n + 1) neighbours; above 0."""
    rare: Literal["peak", "published"] = "peak"
    """Labels rarer than where that number is largest: peak gives them that largest number;
    published follows the formula, which gives the rarest labels nothing."""

    def for_videos(self, num_videos: int) -> "PlanConfig":
        """Return the configuration with a number for the pivot, at least 1."""
        if self.pivot != "auto":
            return self
        return replace(self, pivot=max(1.0, PUBLISHED_PIVOT * num_videos / YT8M_VIDEOS))

    @property
    def number(self) -> float:
        """The pivot; ValueError where it is not yet a number, see `for_videos`."""
        if self.pivot == "auto":
            raise ValueError("the pivot is not known before the number of videos is")
        return self.pivot

    @property
    def peak(self) -> float:
        """Count of videos at which t / n is largest: e * pivot / 10^decades."""
        return math.e * self.number / 10**self.decades


@dataclass(frozen=True, eq=False)
class Plan:
    """What becomes of V videos.

    Attributes:
        config: that it follows; its pivot is a number.
        counts: (C,) int64, videos of each label before.
        decision: (V,) int32, the decision label; -1 for a video without labels, which stays.
        neighbours: (V,) int32, how many neighbours to look for; 0: it gets no samples.
        kept: (V,) bool, whether the video itself stays.
    """

    config: PlanConfig
    counts: NDArray[np.int64]
    decision: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    kept: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return V."""
        return len(self.decision)


def target_count(counts: NDArray[np.int64], config: PlanConfig) -> NDArray[np.float64]:
    """Return t(n), how many samples labels of so many videos (>= 1) should have; may be negative.

    >>> target_count(np.array([100, 10_000, 1_000_000]), PlanConfig()).tolist()
    [0.0, 10000.0, 20000.0]
    """
    return _target(np.asarray(counts, np.float64), config)


def _target(counts: NDArray[np.float64], config: PlanConfig) -> NDArray[np.float64]:
    return (np.log10(counts / config.number) / config.decades + 1) * config.number


def neighbours_for(counts: NDArray[np.int64], config: PlanConfig) -> NDArray[np.int32]:
    """Return how many neighbours the videos of labels of n <= pivot videos get; 0 for the others.

    >>> neighbours_for(np.array([3, 500, 3000, 9999, 10_001]), PlanConfig()).tolist()
    [8, 7, 3, 2, 0]
    """
    n = np.maximum(np.asarray(counts, np.float64), 1)
    at = np.maximum(n, config.peak) if config.rare == "peak" else n
    ratio = np.trunc(config.alpha * _target(at, config) / at + 1)
    return np.where(n <= config.number, np.maximum(ratio, 0), 0).astype(np.int32)


def divisors_for(counts: NDArray[np.int64], config: PlanConfig) -> NDArray[np.int32]:
    """Return of how many videos of labels of n > pivot videos one is kept; 1 for the others.

    >>> divisors_for(np.array([10_000, 50_000, 800_000]), PlanConfig()).tolist()
    [1, 3, 40]
    """
    n = np.maximum(np.asarray(counts, np.float64), config.number)
    ratio = np.trunc(n / _target(n, config))
    return np.maximum(ratio, 1).astype(np.int32)


def decision_labels(
    bounds: NDArray[np.int64], classes: NDArray[np.int32], counts: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return (V,) the rarest label of each video, of equally rare ones the first; -1 without any.

    Args:
        bounds: (V + 1,) where the labels of each video begin; the last ends.
        classes: (E,) labels.
        counts: (C,) videos of each class.
    """
    decision = np.full(len(bounds) - 1, -1, np.int32)
    labelled = np.flatnonzero(np.diff(bounds))
    if len(labelled):
        key = counts[classes] * len(counts) + classes
        rarest = np.minimum.reduceat(key, bounds[labelled])
        decision[labelled] = rarest % len(counts)
    return decision


def is_kept(video_id: str, divisor: int, seed: int = 0) -> bool:
    """Return whether a video is one of the 1 / divisor that are kept: the same on any machine."""
    return derive_seed(seed, "keep", video_id) % divisor == 0


def plan_of(items: VideoSet, config: PlanConfig, *, seed: int = 0) -> Plan:
    """Return what becomes of the videos of a split, from their labels alone.

    Args:
        items: whole videos with labels.
        config: see there; an automatic pivot is set by the number of labelled videos.
        seed: of the choice of those that are kept.

    Raises:
        ConfigError: no video has a label.
    """
    targets = items.targets
    if targets is None or not len(targets.classes):
        raise ConfigError(
            f"none of the {len(items)} videos of the split {items.records.split!r} has a label, "
            "and labels decide what becomes of a video",
            where=items.dataset.location,
            hint="Take a split with labels: --split train.",
        )
    counts = items.label_counts()
    config = config.for_videos(int((targets.counts() > 0).sum()))
    decision = decision_labels(targets.indptr, targets.classes, counts)
    labelled = decision >= 0
    neighbours = np.where(labelled, neighbours_for(counts, config)[decision], 0).astype(np.int32)
    divisor = np.where(labelled, divisors_for(counts, config)[decision], 1)
    kept = np.ones(len(items), bool)
    drawn = np.flatnonzero(divisor > 1)
    pairs = zip(items.ids(drawn), divisor[drawn].tolist(), strict=True)
    kept[drawn] = [is_kept(name, number, seed) for name, number in pairs]
    return Plan(config, counts, decision, neighbours, kept)
