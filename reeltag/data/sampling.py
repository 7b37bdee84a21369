"""In which order an epoch takes its items, and which frames of them.

Shape letters: B items of a batch, T frames, N items of a data set.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED, default_was
from reeltag.core.timing import spread_frames
from reeltag.data.features import PUBLISHED_FRAMES, Features

Shuffle: TypeAlias = Literal["no", "global", "shards"]
EVERY = slice(None)
BATCH_FRAMES = 48_000  # of 1472 values: 280 MB as float32; twice 80 published videos
WHOLE_FRAMES = 12_000  # by which a longer video is scored as a whole: 3 h 20 min at 1 Hz
_KEYS_AT_ONCE = 1 << 20


def frames_of_whole(num_frames: int, most: int = 0) -> NDArray[np.int64] | None:
    """Return the frames by which a video is scored as a whole, ascending; None: all of them.

    Args:
        num_frames: of the video.
        most: the first so many of them; 0: of its whole length, `WHOLE_FRAMES` at most, the middle
            one of each of as many equal parts.
    """
    if num_frames <= (most or WHOLE_FRAMES):
        return None
    return np.arange(most) if most else spread_frames([num_frames], WHOLE_FRAMES)[0]


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

    def numbers(self, row: int) -> NDArray[np.int64]:
        """Return the numbers of an item's frames, counted from its `first`."""
        count = int(self.count[row])
        return self.step * np.arange(count) if self.listed is None else self.listed[row, :count]


@dataclass(frozen=True)
class FrameLimits:
    """How many frames of a long video or segment are seen.

    Attributes:
        most: frames, from its beginning, that it has for us; 0 = all.
        spread: frames that are taken of it at most, spread over its whole length; 0 = no limit.
        at_random: whether each of these is drawn from its part of the video, or its middle one.
    """

    most: int = 0
    spread: int = 0
    at_random: bool = False


NO_LIMITS = FrameLimits()


@dataclass(frozen=True, kw_only=True)
class FrameChoice:
    """Which frames of a video or segment are seen. What is cut by `max_frames` is never chosen."""

    how: Literal["all", "random", "contiguous", "stride", "regular", "first"] = "all"
    """all; `num_frames` at random, as one run from a random place, evenly spaced, or the first
    ones; or (stride) every r-th from a random phase, r drawn once per batch."""
    num_frames: int = 0
    """How many, for random, contiguous, regular and first; a shorter video gives what it has."""
    max_frames: int | None = field(default=None, metadata=default_was(PUBLISHED_FRAMES))
    """Only so many frames from the beginning of a video exist for us. None: 300 of features as
    YouTube-8M published them; all of others, within `batch_frames`."""
    replace: bool = True
    """Whether random may take a frame twice; it then always gives `num_frames`."""
    ordered: bool = False
    """Whether random keeps the order of time."""
    stride_range: tuple[int, int] = (5, 10)
    """Smallest and largest r of stride; 5 to 10 in OPPO's first stage."""
    batch_frames: int = field(default=BATCH_FRAMES, metadata=ADDED)
    """Frames of a batch at most, for all and stride without max_frames, of features that are not
    YouTube-8M's. A video or segment has an equal share of them; of a longer one so many are taken
    from its whole length: one of each of as many equal parts, at random in training."""

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that choose nothing."""
        if self.how not in ("all", "stride") and self.num_frames < 1:
            raise ConfigError(
                f"must be at least 1 to choose frames by {self.how!r}, got {self.num_frames}",
                where="num_frames",
            )
        for name in ("max_frames", "batch_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"must be at least 1, got {value}", where=name)
        low, high = self.stride_range
        if not 1 <= low <= high:
            raise ConfigError(f"must be 1 <= low <= high, got {low}, {high}", where="stride_range")

    def limits(self, features: Features, batch_size: int, *, at_random: bool) -> FrameLimits:
        """Return the limits for features, where the choice itself gives none.

        Args:
            features: what the frames are.
            batch_size: items of a global batch.
            at_random: whether frames that are spread over a video are drawn at random.
        """
        if self.max_frames is not None or features.is_published:
            return FrameLimits(self.max_frames or features.most_frames)
        if self.how not in ("all", "stride"):
            return NO_LIMITS
        return FrameLimits(0, max(1, self.batch_frames // batch_size), at_random)

    def most(self, longest: int, limits: FrameLimits = NO_LIMITS) -> int:
        """Return an upper bound of T for items of up to `longest` frames."""
        longest = min(longest, self.max_frames or limits.most or longest)
        if self.how == "random" and self.replace:
            return self.num_frames
        if self.how == "stride":
            longest = -(-longest // self.stride_range[0])
        elif self.how != "all":
            return min(longest, self.num_frames)
        return min(longest, limits.spread or longest)

    def choose(
        self,
        length: NDArray[np.int64],
        rng: np.random.Generator,
        rows: slice = EVERY,
        limits: FrameLimits = NO_LIMITS,
    ) -> ChosenFrames:
        """Choose frames of a batch.

        Random numbers are drawn for the whole batch, so that what an item gets does not depend on
        which rank it falls to.

        Args:
            length: (B,) frames of each item, at least 1.
            rng: source of randomness; "all", "regular" and "first" use none within the limits.
            rows: of the batch, whose choice is returned; `num_steps` is that of the whole batch.
            limits: for the features.
        """
        most = self.max_frames or limits.most
        length = np.minimum(length, most) if most else length
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
        if limits.spread and int(count.max(initial=0)) > limits.spread:
            listed = _spread(count, limits, rng)[rows] * step + first[rows, None]
            count = np.minimum(count, limits.spread)
        span = length if listed is not None else (count - 1) * step + 1
        num_steps = int(count.max(initial=0))
        first = first if listed is None else np.zeros_like(first)
        return ChosenFrames(count[rows], first[rows], span[rows], step, listed, num_steps)

    def words(self, length: NDArray[np.int32], limits: FrameLimits, items: str) -> str:
        """Return which frames are taken of items (N,) of so many frames, in words."""
        words = {
            "all": "all frames",
            "stride": f"every {'th to '.join(map(str, self.stride_range))}th frame",
            "random": f"{self.num_frames} frames at random",
            "contiguous": f"{self.num_frames} frames in a row",
            "regular": f"{self.num_frames} evenly spaced frames",
            "first": f"the first {self.num_frames} frames",
        }[self.how]
        words += f" of each of {len(length):,} {items}"
        if limits.most and (longer := int((length > limits.most).sum())):
            words += f", but only of the first {limits.most:,} of {longer:,} longer ones"
        step = self.stride_range[0] if self.how == "stride" else 1
        if limits.spread and (longer := int((-(-length // step) > limits.spread).sum())):
            how = "one at random" if limits.at_random else "the middle one"
            words += (
                f"; of {longer:,} longer ones {limits.spread:,}: {how} of each of {limits.spread:,}"
                f" equal parts ({self.batch_frames:,} frames a batch)"
            )
        return words


def _spread(
    count: NDArray[np.int64], limits: FrameLimits, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return (B, T) numbers, ascending: all of [0, count), or one of each of T parts of it."""
    size = (len(count), min(int(count.max()), limits.spread))
    place = rng.random(size) if limits.at_random else 0.5
    return spread_frames(count, limits.spread, place)


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
    longest, most = int(length.max(initial=0)), int(count.max(initial=0))
    listed = np.empty((len(length), most), np.int64)
    at_once = max(1, _KEYS_AT_ONCE // max(1, longest))  # the same numbers, however many at once
    for done in range(0, len(length), at_once):
        part = slice(done, done + at_once)
        keys = rng.random((len(length[part]), longest))
        keys[np.arange(longest) >= length[part, None]] = 2.0  # behind every real frame
        listed[part] = keys.argsort(axis=1)[:, :most]
    listed = listed[rows]
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
