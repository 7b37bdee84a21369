"""In which order an epoch takes its items, and which frames of them.

Shape letters: B items of a batch, T frames, N items of a data set.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError

Shuffle: TypeAlias = Literal["no", "global", "shards"]
EVERY = slice(None)


@dataclass(frozen=True)
class ChosenFrames:
    """Which frames of each item to copy: `first`, `first + step`, ..., or those listed.

    Attributes:
        count: (B,) int64, how many.
        first: (B,) int64, frame number, counted from the beginning of the item.
        span: (B,) int64, frames from the first to the last, both included.
        step: distance from one to the next; the same for the batch.
        listed: (B, T) int64 frame numbers, good up to `count`; None: those of `first` and `step`.
        num_steps: T, the largest count of the batch, over all ranks.
    """

    count: NDArray[np.int64]
    first: NDArray[np.int64]
    span: NDArray[np.int64]
    step: int
    listed: NDArray[np.int64] | None
    num_steps: int


@dataclass(frozen=True, kw_only=True)
class FrameChoice:
    """Which frames of a video or segment are seen. What is cut by `max_frames` is never chosen."""

    how: Literal["all", "random", "contiguous", "stride", "regular", "first"] = "all"
    """all; `num_frames` at random, as one run from a random place, evenly spaced, or the first
    ones; or (stride) every r-th from a random phase, r drawn once per batch."""
    num_frames: int = 0
    """How many, for random, contiguous, regular and first; a shorter video gives what it has."""
    max_frames: int = 300
    """Only so many frames from the beginning of a video exist for us (300 as published)."""
    replace: bool = True
    """Whether random may take a frame twice; it then always gives `num_frames`."""
    ordered: bool = False
    """Whether random keeps the order of time."""
    stride_range: tuple[int, int] = (5, 10)
    """Smallest and largest r of stride; 5 to 10 in OPPO's first stage."""

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that choose nothing."""
        if self.how not in ("all", "stride") and self.num_frames < 1:
            raise ConfigError(
                f"must be at least 1 to choose frames by {self.how!r}, got {self.num_frames}",
                where="num_frames",
            )
        if self.max_frames < 1:
            raise ConfigError(f"must be at least 1, got {self.max_frames}", where="max_frames")
        low, high = self.stride_range
        if not 1 <= low <= high:
            raise ConfigError(f"must be 1 <= low <= high, got {low}, {high}", where="stride_range")

    def most(self, longest: int) -> int:
        """Return an upper bound of T for items of up to `longest` frames."""
        longest = min(longest, self.max_frames)
        if self.how == "random" and self.replace:
            return self.num_frames
        if self.how == "stride":
            return -(-longest // self.stride_range[0])
        return longest if self.how == "all" else min(longest, self.num_frames)

    def choose(
        self, length: NDArray[np.int64], rng: np.random.Generator, rows: slice = EVERY
    ) -> ChosenFrames:
        """Choose frames of a batch.

        Random numbers are drawn for the whole batch, so that what an item gets does not depend on
        which rank it falls to.

        Args:
            length: (B,) frames of each item, at least 1.
            rng: source of randomness; "all", "regular" and "first" use none.
            rows: of the batch, whose choice is returned; `num_steps` is that of the whole batch.
        """
        length = np.minimum(length, self.max_frames)
        first, step = np.zeros_like(length), 1
        count = length if self.how == "all" else np.minimum(length, self.num_frames)
        listed = None
        if self.how == "contiguous":
            first = _below(length - count + 1, rng)
        elif self.how == "stride":
            step = int(rng.integers(*self.stride_range, endpoint=True))
            first = _below(np.minimum(length, step), rng)
            count = -(-(length - first) // step)
        elif self.how == "regular":
            place = np.arange(self.num_frames) + 0.5
            listed = (place * (length / count)[rows, None]).astype(np.int64)
        elif self.how == "random" and self.replace:
            count = np.full_like(length, self.num_frames)
            listed = _with_replacement(length, self.num_frames, rng)[rows]
            listed = np.sort(listed, axis=1) if self.ordered else listed
        elif self.how == "random":
            listed = _without_replacement(length, count, rng, rows, ordered=self.ordered)
        span = length if listed is not None else (count - 1) * step + 1
        num_steps = int(count.max(initial=0))
        return ChosenFrames(count[rows], first[rows], span[rows], step, listed, num_steps)


def _below(bound: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (B,) integers, each uniform in [0, bound)."""
    return rng.integers(0, bound)


def _with_replacement(
    length: NDArray[np.int64], num_frames: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return (B, num_frames) frame numbers, each uniform over its video."""
    return rng.integers(0, length[:, None], (len(length), num_frames))


def _without_replacement(
    length: NDArray[np.int64],
    count: NDArray[np.int64],
    rng: np.random.Generator,
    rows: slice,
    *,
    ordered: bool,
) -> NDArray[np.int64]:
    """Return (rows, T) distinct frame numbers: the order of random keys, cut at `count`."""
    keys = rng.random((len(length), int(length.max(initial=0))))[rows]
    keys[np.arange(keys.shape[1]) >= length[rows, None]] = 2.0  # behind every real frame
    listed = keys.argsort(axis=1)[:, : int(count.max(initial=0))]
    return np.sort(listed, axis=1) if ordered else listed  # frames a video lacks stay behind


def epoch_order(
    shard: NDArray[np.int32], shuffle: Shuffle, *, buffer: int, seed: int
) -> NDArray[np.int64]:
    """Return the N items in the order in which an epoch takes them: a permutation.

    "no" keeps the order of the index. "global" is uniform over all permutations. "shards" takes
    the shards in random order and moves every item by fewer than `buffer` places, so that the
    disk sees a narrow window of few shards that moves along.

    Args:
        shard: (N,) number of the shard of each item, ascending.
        shuffle: how.
        buffer: for "shards", items; at least 1.
        seed: of this epoch.
    """
    if shuffle == "no":
        return np.arange(len(shard))
    rng = np.random.default_rng(seed)
    if shuffle == "global":
        return rng.permutation(len(shard))
    turn = rng.permutation(int(shard.max(initial=-1)) + 1)
    in_shards = np.argsort(turn[shard], kind="stable")
    moved = np.arange(len(shard)) + buffer * rng.random(len(shard))
    return in_shards[np.argsort(moved, kind="stable")]
