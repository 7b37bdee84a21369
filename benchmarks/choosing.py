"""Does choosing what to rate pay? Ratings of a simulated person on reels and mosaics.

    python -m benchmarks.choosing [KIND ...] [--seed 0 1 2] [--spread 1 2] [--work WORK]

The person answers from the truth (benchmarks/choosing_data.py). There are 200,000 pairs of a window
and a class to be rated, all at random of the videos that ratings may train; 50 random ones are
rated first, then 50 at a time as the policy chooses, up to 800. After each batch the finder of
benchmarks/choosing_finder.py is fitted again and scored on the rated test segments: MAP over all
classes. The intervals are of a bootstrap over the test videos, the mean of the seeds on both sides.
`labelled` draws at random among the pairs whose class is a label of the video, as the raters of
YouTube-8M's segments were asked. What is done under the work folder is not done again.

Letters in shapes: N windows, C classes, P pairs, K sizes, R replicates.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.choosing_data import UNCLEAR, Windows, read_splits
from benchmarks.choosing_finder import Finder, fit_labels, fit_ratings, standardised
from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, composed
from benchmarks.results import Row, write_rows
from reeltag.active.policies import POLICIES, Candidates, PolicyMixture, choose
from reeltag.core.console import say
from reeltag.core.files import whole_file
from reeltag.core.seeding import derive_seed
from reeltag.evaluation.bootstrap import Bootstrap, ClassCounts
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.weighted import WeightedRanking

KINDS = ("reels", "mosaics")
LABELLED = "labelled"
NAMES = (*POLICIES, LABELLED)
SPREADS = (1.0, 2.0)  # of the finder: held closely to the labels of the videos, or less so
PAIRS, FIRST, BATCH, MOST = 200_000, 50, 50, 800
MEMBERS = 5  # of the ensemble: of as many ratings, drawn with replacement
REPLICATES = 400
CHOSEN, RANDOM = 400, 800  # the target: MAP after so many chosen ones, at least that of random ones


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """What a policy reached.

    Attributes:
        sizes: (K,) number of ratings.
        positives: (K,) of them.
        values: (K,) MAP on rated test segments.
        replicates: (K, R) of it.
        everywhere: (K,) mean over classes of the average precision of all test windows.
    """

    sizes: NDArray[np.int64]
    positives: NDArray[np.int64]
    values: NDArray[np.float64]
    replicates: NDArray[np.float64]
    everywhere: NDArray[np.float64]


class Pairs(NamedTuple):
    """P pairs that may be rated.

    Attributes:
        windows: (P,).
        classes: (P,).
        answers: (P,) bool.
    """

    windows: NDArray[np.int64]
    classes: NDArray[np.int64]
    answers: NDArray[np.bool_]


def main() -> int:
    """Simulate what is missing, and write a row of each policy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choosing")
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=KINDS)
    parser.add_argument("--seed", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--spread", type=float, nargs="*", default=SPREADS)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    for kind in options.kinds or KINDS:
        root = composed(kind, options.data, options.work)
        splits = read_splits(kind, root, options.data)
        train = splits["train"]
        first = fit_labels(train.values, train.videos, train.labels)
        score = TestScore(splits["test"])
        say(f"{kind}: stage I has a MAP of {score.of(first)[0]:.4f}")
        command = f"python -m benchmarks.choosing {kind} --seed {' '.join(map(str, options.seed))}"
        for spread in options.spread:
            curves = {}
            for name in NAMES:
                for seed in options.seed:
                    path = options.work / "choosing" / f"{kind}-{spread:g}-{name}-{seed}.npz"
                    if not path.exists():
                        curve = simulate(splits["validate"], first, score, name, seed, spread)
                        _save(path, curve)
                    with np.load(path) as stored:
                        curves[name, seed] = Curve(**stored)
            about = {"data": kind, "spread": spread, "stage_1": round(score.of(first)[0], 4)}
            rows = [about | _row(name, options.seed, curves) for name in NAMES]
            key = ("data", "spread", "policy")
            write_rows("choosing", rows, key=key, measured=environment(command))
    return 0


def _save(path: Path, curve: Curve) -> None:
    say(f"{path.stem}: {' '.join(f'{value:.4f}' for value in curve.values)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **vars(curve))


class TestScore:
    """MAP on the rated segments of the test split, and on all its windows."""

    def __init__(self, test: Windows) -> None:
        self._test = test
        assert test.truth is not None
        owners = test.videos[test.rated_windows]
        self._hits = torch.from_numpy(test.rated_values)
        self._classes, self._owners = torch.from_numpy(test.rated_classes), torch.from_numpy(owners)
        self._bootstrap = Bootstrap(np.ones(len(test.labels), bool), REPLICATES, 0)
        positive = test.rated_values
        self._counts = ClassCounts(
            test.rated_classes[positive], owners[positive], test.labels.shape[1]
        )

    def of(self, finder: Finder) -> tuple[float, NDArray[np.float64]]:
        """Return MAP, and (R,) replicates of it."""
        test = self._test
        values = test.values[test.rated_windows]
        scores = (values * finder.weights[test.rated_classes]).sum(1)
        scores = scores + finder.biases[test.rated_classes]
        ranking = rank_pairs(torch.from_numpy(scores), self._hits, self._classes)
        value = float(ranking.average_precision(self._counts.counts).nanmean())
        weighted = WeightedRanking(ranking, self._owners)
        replicates = [
            weighted.average_precision(self._counts.weighted(weights), weights).nanmean(0)
            for weights in self._bootstrap.weights()
        ]
        return value, torch.cat(replicates).numpy()

    def everywhere(self, finder: Finder) -> float:
        """Return the mean over classes of the average precision of all windows."""
        assert self._test.truth is not None
        logits, truth = finder.logits(self._test.values), self._test.truth
        found = []
        for c in np.flatnonzero((truth == 1).any(0)):
            ranked = truth[np.argsort(-logits[:, c], kind="stable"), c]
            hits = ranked[ranked != UNCLEAR] == 1
            found.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
        return float(np.mean(found))


def simulate(
    pool: Windows,
    first: Finder,
    score: TestScore,
    name: str | PolicyMixture,
    seed: int,
    spread: float,
) -> Curve:
    """Return what a person who rates by a policy reaches.

    Args:
        pool: windows that may be rated.
        first: stage I.
        score: on the test split.
        name: of the policy, or a mixture.
        seed: of the pairs and of all draws.
        spread: of the finder.
    """
    random = np.random.default_rng(derive_seed(seed, "choosing"))
    pairs = _pairs(pool, name == LABELLED, random)
    start = standardised(first, pool.values)
    rated = random.permutation(len(pairs.windows))[:FIRST]
    sizes, positives, values, replicates, everywhere = [], [], [], [], []
    while True:
        finder = _fitted(start, pool, pairs, rated, spread)
        value, replicate = score.of(finder)
        sizes.append(len(rated))
        positives.append(int(pairs.answers[rated].sum()))
        values.append(value)
        replicates.append(replicate)
        everywhere.append(score.everywhere(finder))
        if len(rated) >= MOST:
            break
        left = np.setdiff1d(np.arange(len(pairs.windows)), rated, assume_unique=True)
        members = []
        if name == "disagreement":
            draws = random.integers(len(rated), size=(MEMBERS, len(rated)))
            members = [_fitted(start, pool, pairs, each, spread) for each in rated[draws]]
        candidates = _candidates(pool, pairs, rated, left, [finder, *members])
        policy = "random" if name == LABELLED else name
        choice = choose(candidates, BATCH, policy, random)  # type: ignore[arg-type]
        rated = np.append(rated, left[choice.rows])
    return Curve(
        sizes=np.array(sizes),
        positives=np.array(positives),
        values=np.array(values),
        replicates=np.array(replicates),
        everywhere=np.array(everywhere),
    )


def _pairs(pool: Windows, only_labelled: bool, random: np.random.Generator) -> Pairs:
    """Return the pairs that may be rated, in order."""
    assert pool.truth is not None
    allowed = pool.truth != UNCLEAR
    if only_labelled:
        allowed &= pool.labels[pool.videos]
    windows, classes = np.nonzero(allowed)
    taken = np.sort(random.permutation(len(windows))[:PAIRS])
    windows, classes = windows[taken], classes[taken]
    return Pairs(windows, classes, pool.truth[windows, classes] == 1)


def _candidates(
    pool: Windows,
    pairs: Pairs,
    rated: NDArray[np.int64],
    left: NDArray[np.int64],
    finders: list[Finder],
) -> Candidates:
    """Return the pairs that are left, as the finder and the members after it see them."""
    windows, classes = pairs.windows[left], pairs.classes[left]
    logits, *members = (finder.logits(pool.values)[windows, classes] for finder in finders)
    return Candidates(
        windows=windows,
        classes=classes,
        logits=logits,
        members=np.stack(members) if members else None,
        features=pool.values,
        rated_features=pool.values[np.unique(pairs.windows[rated])],
        num_ratings=np.bincount(pairs.classes[rated], minlength=pool.labels.shape[1]),
        labelled=pool.labels[pool.videos[windows], classes],
    )


def _fitted(
    start: Finder, pool: Windows, pairs: Pairs, rated: NDArray[np.int64], spread: float
) -> Finder:
    values = pool.values[pairs.windows[rated]]
    return fit_ratings(start, values, pairs.classes[rated], pairs.answers[rated], spread)


def _row(name: str, seeds: list[int], curves: dict[tuple[str, int], Curve]) -> Row:
    """Return a policy's mean curve, and how its chosen ratings compare with twice as many."""
    mine = [curves[name, seed] for seed in seeds]
    sizes = mine[0].sizes.tolist()
    values = np.mean([curve.values for curve in mine], 0)
    replicates = np.mean([curve.replicates for curve in mine], 0)
    row: Row = {
        "policy": name,
        "seeds": seeds,
        "metric": "map",
        "ratings": sizes,
        "values": values.round(4).tolist(),
        "intervals": [_ends(v, r) for v, r in zip(values, replicates, strict=True)],
        "by_seed": [curve.values.round(4).tolist() for curve in mine],
        "positives": np.mean([curve.positives for curve in mine], 0).round(1).tolist(),
        "all_windows": np.mean([curve.everywhere for curve in mine], 0).round(4).tolist(),
    }
    for against in ("random", LABELLED):
        theirs = [curves[against, seed] for seed in seeds]
        late, soon = sizes.index(RANDOM), sizes.index(CHOSEN)
        difference = float(values[soon] - np.mean([curve.values[late] for curve in theirs]))
        scatter = replicates[soon] - np.mean([curve.replicates[late] for curve in theirs], 0)
        row[f"{CHOSEN}_over_{RANDOM}_{against}"] = {
            "difference": round(difference, 4),
            "interval": _ends(difference, scatter),
            "all_windows": round(
                float(
                    np.mean([curve.everywhere[soon] for curve in mine])
                    - np.mean([curve.everywhere[late] for curve in theirs])
                ),
                4,
            ),
        }
    return row


def _ends(value: float, replicates: NDArray[np.float64]) -> list[float]:
    """Return the ends of the 95 % interval, as `reeltag.evaluation.bootstrap.interval` has them."""
    low, high = value + np.percentile(replicates, [2.5, 97.5]) - replicates.mean()
    return [round(float(low), 4), round(float(high), 4)]


if __name__ == "__main__":
    sys.exit(main())
