"""Is one way of training better than another? Differences of scores, with an interval.

Both are scored on the same videos, and replicate r of the bootstrap draws the same videos for
both, so that what makes a video easy for both cancels. Several files on a side are runs that differ
in their seed alone: their mean is compared, so that the interval is that of the mean. It covers
how far other test videos would move it, not how far other seeds would; that is `seed_sd`.

Letters in shapes: S runs (seeds), R replicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, to_paths
from reeltag.data.dataset import Dataset
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import DEFAULT_CONFIG, Scored, score_file


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A score of both sides.

    Attributes:
        value: mean over the runs.
        seed_sd: standard deviation over the runs; None of a single one.
        against: mean over the runs of the other side.
        against_seed_sd: likewise.
        difference: `value - against`.
        interval: [low, high] that holds 95 % of the differences when the videos are drawn
            again, about the difference itself; None without a bootstrap.
    """

    value: float
    seed_sd: float | None
    against: float
    against_seed_sd: float | None
    difference: float
    interval: list[float] | None


def compare(
    predictions: Sequence[PathLike],
    against: Sequence[PathLike],
    data: Dataset,
    config: EvaluationConfig = DEFAULT_CONFIG,
    *,
    quiet: bool = False,
) -> dict[str, Difference]:
    """Return the difference in each score that both sides have, by the score's name.

    Args:
        predictions: one or more files of `reeltag predict`: runs of one way.
        against: files of the other way.
        data: with the truth.
        config: which videos and classes, and the bootstrap.
        quiet: show no progress, and log nothing.

    Raises:
        DataError: as `evaluate`, or the files are about different videos, or share no score.
        ConfigError: as `evaluate`, or a side has no file.
    """
    predictions = to_paths(predictions)
    against = to_paths(against)
    if not predictions or not against:
        raise ConfigError("both sides need at least one file of predictions", where="--against")
    ours = [(path, score_file(path, data, config, quiet=quiet)) for path in predictions]
    theirs = [(path, score_file(path, data, config, quiet=quiet)) for path in against]
    return differences(ours, theirs)


def differences(
    ours: Sequence[tuple[Path, Scored]], theirs: Sequence[tuple[Path, Scored]]
) -> dict[str, Difference]:
    """Return what `compare` does, of files that were scored already with the same config.

    Args:
        ours: (file, its scores) for each run, one or more.
        theirs: likewise.

    Raises:
        DataError: the files are about different videos, or share no score.
    """
    first, reference = ours[0]
    for path, found in (*ours, *theirs):
        if not np.array_equal(found.evaluated, reference.evaluated):
            raise DataError(
                f"is about other videos than {first}: nothing can be compared",
                where=path,
                hint="Give --split: all its videos are then the truth for every file.",
            )
    every = [found for _, found in (*ours, *theirs)]
    names = [name for name in reference.scores if all(name in found.scores for found in every)]
    if not names:
        raise DataError(
            f"shares no score with {first} (one of videos, one of segments?)",
            where=theirs[0][0],
        )
    sides = [[found for _, found in side] for side in (ours, theirs)]
    return {name: _difference(name, *sides) for name in names}


def _difference(name: str, ours: list[Scored], theirs: list[Scored]) -> Difference:
    values, replicates_R = _mean(name, ours)
    other_values, other_replicates_R = _mean(name, theirs)
    difference = float(values.mean() - other_values.mean())
    scatter_R = replicates_R - other_replicates_R
    scatter_R = scatter_R[np.isfinite(scatter_R)]
    edges = None
    if len(scatter_R):
        low, high = np.percentile(scatter_R, [2.5, 97.5]) - scatter_R.mean() + difference
        edges = [float(low), float(high)]
    return Difference(
        value=float(values.mean()),
        seed_sd=_deviation(values),
        against=float(other_values.mean()),
        against_seed_sd=_deviation(other_values),
        difference=difference,
        interval=edges,
    )


def _mean(name: str, runs: list[Scored]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score of each run (S,), and the mean over the runs of each replicate (R,)."""
    values = np.array([run.scores[name].value for run in runs])
    return values, np.mean([run.scores[name].replicates for run in runs], axis=0)


def _deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
