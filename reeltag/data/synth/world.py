"""The world that synthetic videos are drawn from: what shows when, how it looks, and its labels.

A video has a few subjects. It is cut into scenes; each subject shows in some scenes, and so do
all of the subject's parents. A frame is

    sum over shown classes of strength * prototype + look of the video + look of the scene
        + noise that drifts over seconds + noise that is new in each frame

rounded to YouTube-8M's bytes. A prototype lives in the picture, in the sound or in both.
Everything about video i of a split is a pure function of (config, split, i).

Shape letters: T seconds (= frames), S scenes, N true classes of one video, C classes, D features.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reeltag.core.seeding import derive_seed
from reeltag.data.synth.classes import class_tree
from reeltag.data.synth.config import SplitName, SynthConfig

SEGMENT_SECONDS = 5
CLEARLY_SHOWN = 3  # seconds of five from which on a segment counts as positive
POSITIVE_RATINGS = 0.557  # share of positive ratings in YouTube-8M 2019: 132,442 of 237,788
MEAN_SCENE_SECONDS = 12
VIDEO_LOOK, SCENE_LOOK, DRIFT, GRAIN = 0.35, 0.35, 0.35, 0.5  # standard deviations, feature units
DRIFT_SECONDS = 6


@dataclass(frozen=True, kw_only=True)
class SynthVideo:
    """One video and the whole truth about it.

    Attributes:
        id: split and number, for example "train-000017".
        codes: (T, D) uint8, rgb before audio.
        truth: (N,) the classes that show in some second, rising, parents included.
        shown: (T, N) bool, which of `truth` show in which second.
        labels: the classes written as the video's labels, rising; noisy.
        rated: rows (start in s, class, 1 = positive or 0) by rising start; empty in train.
    """

    id: str
    codes: NDArray[np.uint8]
    truth: NDArray[np.int64]
    shown: NDArray[np.bool_]
    labels: NDArray[np.int64]
    rated: NDArray[np.int64]


class World:
    """Draws videos. Building it takes C * D floats and is repeated in each process."""

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.tree = class_tree(config.classes, config.zipf)
        rng = np.random.default_rng(derive_seed(config.seed, "prototypes"))
        self.visible, self.audible = _carried(rng, config)
        parts = []
        for width, carries in ((config.rgb, self.visible), (config.audio, self.audible)):
            # An amplitude that makes a class about as easy to see in 16 features as in 1024.
            amplitude = 6.0 * (width / 1024) ** 0.25 / max(width, 1) ** 0.5
            own = rng.standard_normal((config.classes, width), dtype=np.float32)
            parts.append(own * carries[:, None] * np.float32(amplitude))
        self.prototypes = np.concatenate(parts, axis=1)

    def video(self, split: SplitName, number: int) -> SynthVideo:
        """Return video `number` of `split`."""
        config = self.config
        rng = np.random.Generator(np.random.SFC64(derive_seed(config.seed, split, number)))
        num_frames = int(rng.integers(config.min_frames, config.max_frames + 1))
        subjects = self._subjects(rng)
        scene_of = _scenes(rng, num_frames)
        strengths = _strengths(rng, int(scene_of[-1]) + 1, len(subjects))
        truth, shows = self._with_parents(subjects, strengths)
        shown = (shows > 0)[scene_of]
        codes = self._frames(rng, truth, shows, scene_of)
        rated = np.empty((0, 3), dtype=np.int64)
        if split != "train" and rng.random() < config.rated_fraction:
            rated = rate_segments(rng, truth, shown)
        return SynthVideo(
            id=f"{split}-{number:06d}",
            codes=codes,
            truth=truth,
            shown=shown,
            labels=self._labels(rng, truth, shows[scene_of].mean(axis=0)),
            rated=rated,
        )

    def _subjects(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw distinct classes by weight; half of the weight of all but one is in its tree."""
        config, tree = self.config, self.tree
        wanted = min(1 + int(rng.poisson(config.noise.subjects - 1)), config.classes)
        first = int(rng.choice(config.classes, p=tree.weights))
        akin = (np.asarray(tree.roots) == tree.roots[first]) * tree.weights
        weights = tree.weights / 2 + akin / (2 * akin.sum())
        weights[first] = 0
        weights /= weights.sum()
        possible = min(wanted - 1, int(np.count_nonzero(weights)))
        others = rng.choice(config.classes, possible, replace=False, p=weights)
        return np.concatenate([[first], others]).astype(np.int64)

    def _with_parents(
        self, subjects: NDArray[np.int64], strengths: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Turn subjects and their strengths (S, K) into all true classes and theirs (S, N)."""
        lines = [self.tree.closures[subject] for subject in subjects]
        truth = np.unique(np.concatenate(lines)).astype(np.int64)
        shows = np.zeros((len(strengths), len(truth)), dtype=np.float32)
        for strength, line in zip(strengths.T, lines, strict=True):
            columns = np.searchsorted(truth, line)
            shows[:, columns] = np.maximum(shows[:, columns], strength[:, None])
        return truth, shows

    def _frames(
        self,
        rng: np.random.Generator,
        truth: NDArray[np.int64],
        shows: NDArray[np.float32],
        scene_of: NDArray[np.int64],
    ) -> NDArray[np.uint8]:
        """Return (T, D) bytes. No matrix product: its last bits depend on the number of threads."""
        num_frames, width = len(scene_of), self.prototypes.shape[1]
        looks = rng.standard_normal((len(shows), width), dtype=np.float32) * np.float32(SCENE_LOOK)
        looks += rng.standard_normal(width, dtype=np.float32) * np.float32(VIDEO_LOOK)
        for column, label in enumerate(truth):
            for scene in np.flatnonzero(shows[:, column]):
                looks[scene] += shows[scene, column] * self.prototypes[label]
        keys = rng.standard_normal((num_frames // DRIFT_SECONDS + 2, width), dtype=np.float32)
        keys *= np.float32(DRIFT)
        step, part = np.divmod(np.arange(num_frames), DRIFT_SECONDS)
        weight = (part / DRIFT_SECONDS).astype(np.float32)[:, None]
        values = rng.standard_normal((num_frames, width), dtype=np.float32)
        values *= np.float32(GRAIN)
        values += looks[scene_of]
        values += keys[step]
        values += (keys[1:] - keys[:-1])[step] * weight
        return quantise(values)

    def _labels(
        self, rng: np.random.Generator, truth: NDArray[np.int64], salience: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Drop true labels and add wrong ones, so that precision and recall hold on average.

        What shows long and strongly (`salience` (N,), > 0) is more likely to be written.
        """
        noise, num_classes = self.config.noise, self.config.classes
        expected = len(truth) * noise.recall
        chances = salience.astype(np.float64) ** 2
        kept = rng.choice(truth, _rounded(rng, expected), replace=False, p=chances / chances.sum())
        wrong = _rounded(rng, expected * (1 / noise.precision - 1))
        wrong = min(wrong, num_classes - len(truth))
        if wrong == 0:
            return np.sort(kept)
        weights = self.tree.weights.copy()
        weights[truth] = 0
        added = rng.choice(num_classes, wrong, replace=False, p=weights / weights.sum())
        return np.sort(np.concatenate([kept, added]))


@lru_cache(maxsize=2)
def world_of(config: SynthConfig) -> World:
    """Return the world of `config`, built once in a process."""
    return World(config)


def quantise(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [-2, 2] and code as round((x + 2) * 255 / 4), as YouTube-8M's extractor does.

    Works in place: `values` is used up. Source: google/youtube-8m feature_extractor.
    """
    values += np.float32(2)
    values *= np.float32(255 / 4)
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def rate_segments(
    rng: np.random.Generator, truth: NDArray[np.int64], shown: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return three to seven ratings (start, class, 0 or 1) of different whole segments, by start.

    Positive: the class shows in at least three of the five seconds; negative: in none. What is
    between is not rated. 55.7 % are positive where the video allows it.

    Args:
        rng: is drawn from.
        truth: (N,) classes.
        shown: (T, N) bool.
    """
    whole = len(shown) // SEGMENT_SECONDS
    cells = shown[: whole * SEGMENT_SECONDS].reshape(whole, SEGMENT_SECONDS, len(truth))
    seconds = cells.sum(axis=1)
    open_for = {True: seconds >= CLEARLY_SHOWN, False: seconds == 0}
    rows = []
    for _ in range(int(rng.integers(3, 8))):
        positive = bool(rng.random() < POSITIVE_RATINGS)
        candidates = np.argwhere(open_for[positive])
        if len(candidates) == 0:
            continue
        segment, column = candidates[rng.integers(len(candidates))]
        rows.append((segment * SEGMENT_SECONDS, truth[column], int(positive)))
        for cells_left in open_for.values():
            cells_left[segment] = False  # one class per segment
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)


def _carried(
    rng: np.random.Generator, config: SynthConfig
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which classes show in the picture and which in the sound; each in at least one."""
    if not (config.rgb and config.audio):
        everything = np.ones(config.classes, dtype=bool)
        return everything & bool(config.rgb), everything & bool(config.audio)
    draw = rng.random(config.classes)
    return draw < 0.85, draw > 0.55  # 55 % picture only, 30 % both, 15 % sound only


def _scenes(rng: np.random.Generator, num_frames: int) -> NDArray[np.int64]:
    """Return (T,) the number of the scene that each second belongs to; scenes last 4 s or more."""
    lengths = rng.geometric(1 / (MEAN_SCENE_SECONDS - 4), num_frames // 4 + 1) + 3
    return np.repeat(np.arange(len(lengths)), lengths)[:num_frames]


def _strengths(rng: np.random.Generator, scenes: int, subjects: int) -> NDArray[np.float32]:
    """Return (S, K) how strongly each subject shows in each scene; 0 = not; each shows once."""
    shows = rng.random((scenes, subjects)) < 0.3
    shows[rng.integers(scenes, size=subjects), np.arange(subjects)] = True
    return (shows * rng.uniform(0.5, 1.5, (scenes, subjects))).astype(np.float32)


def _rounded(rng: np.random.Generator, expected: float) -> int:
    """Return an integer next to `expected` that is right on average."""
    return int(expected + rng.random())
