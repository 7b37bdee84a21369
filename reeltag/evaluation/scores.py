"""Score a prediction file against the labels and ratings of a data set.

For rows of whole videos: `gap@20`, `hit@1`, `perr`, `map` (over the `map_classes` classes with a
label; from lists of at most `map_truncated_at` classes per video, so that it is the starter's
truncated mAP where that is below the number of classes). For rows of segments, where data have
ratings: `map@k` over `classes` classes with a rated positive, from `segments` rated segments; of
these `classes_unlisted` are in no row of a segment and count as 0 (with `average_over="listed"`
they are not among `classes`). A video or segment without a row, and a class that a row does not
hold, is never found, but what is true of it stays in the divisors. Equal scores keep the order of
the file.

`<score>_interval` = [low, high] is the middle 95 % of the score, about its mean, over draws of as
many videos with replacement; segments go with their video, and lists keep the cut at K that they
have in the data. A class that no drawn video has keeps the value that it has in the data, so that
the means are over the same classes. A score that is undefined is None.

Memory holds 13 bytes for each of a video's best 20 classes and for each rated pair, 35 more for
each while they are ranked, some 20 bytes for each row of the file, and 160 for each video while
replicates are drawn; longer rows are read again, some classes at a time, for the mAP.

Letters in shapes: V videos, C classes, R replicates of the bootstrap.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.console import say
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import DataError
from reeltag.core.files import PathLike, whole_file
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.evaluation.bootstrap import Bootstrap, ClassCounts, interval
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.matching import MatchedPredictions, ScoredPairs
from reeltag.evaluation.truth import Truth, read_truth
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.segment import AverageOver, mean_over_classes
from reeltag.metrics.weighted import WeightedRanking
from reeltag.predictions.file import Predictions
from reeltag.predictions.submissions import open_scores

DEFAULT_CONFIG = EvaluationConfig()


@dataclass(frozen=True, eq=False)
class Score:
    """A value, and that of each replicate (R,)."""

    value: float
    replicates: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Average precision by class, NaN without positives: (C,) and, under weights, (C, R)."""

    precision: Tensor
    replicates: Tensor
    num_positives: Tensor


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of a prediction file by name and by class, and the videos (V,) that they are over."""

    scores: dict[str, Score]
    classes: dict[str, ClassScores]
    counts: dict[str, int]
    truth: Truth
    evaluated: NDArray[np.bool_]
    config: EvaluationConfig

    def summary(self) -> dict[str, Any]:
        """Return what `evaluate` returns: plain values by the names of this module's docstring."""
        found, bootstrap = dict[str, Any](), self.config.bootstrap
        for name, score in self.scores.items():
            found[name] = score.value if np.isfinite(score.value) else None
            if bootstrap:
                found[f"{name}_interval"] = interval(score.value, score.replicates)
        if "map@k" in self.scores:
            found["average_over"] = self.config.average_over
        return found | self.counts | {"bootstrap": bootstrap, "seed": self.config.seed}


def evaluate(
    predictions: PathLike,
    data: Dataset,
    config: EvaluationConfig = DEFAULT_CONFIG,
    *,
    per_class: PathLike | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Return all scores that the file and the data allow, by the names of this module's docstring.

    Args:
        predictions: file of `reeltag predict`, or a submission of 2018 or 2019.
        data: with the truth.
        config: which videos and classes, and the bootstrap.
        per_class: CSV file to write, one line per class.
        quiet: show no progress, and log nothing.

    Raises:
        DataError: the file is no prediction file or broken, its vocabulary is another one, it has
            two rows for one thing, none of its ids is in the data, or nothing there is labelled.
        ConfigError: the split is empty.
        OutputError: `per_class` cannot be written.
    """
    predictions = Path(predictions)
    per_class = None if per_class is None else Path(per_class)
    found = score_file(predictions, data, config, quiet=quiet)
    if per_class is not None:
        _write_classes(per_class, found.truth, found.classes)
    return found.summary()


def score_file(
    predictions: PathLike,
    data: Dataset,
    config: EvaluationConfig = DEFAULT_CONFIG,
    *,
    quiet: bool = False,
) -> Scored:
    """Return all scores of a file with their replicates; arguments and errors as `evaluate`.

    Replicate r draws the same videos for every file that is scored against the same truth.
    """
    predictions = Path(predictions)
    file, split = _opened(predictions, data), config.split
    num_classes, blank_std = file.info.num_classes, config.blank_std
    truth = read_truth(data, split or "all", num_classes, blank_std=blank_std, quiet=quiet)
    joined = MatchedPredictions(file, truth, only_predicted=split is None, quiet=quiet)
    counts = _counts(joined, split)
    if not quiet:
        _log_counts(counts, split, data)
        _log_about(file, blank_std)
    evaluated = joined.labelled | joined.rated
    draws = Bootstrap(evaluated, config.bootstrap, config.seed, quiet=quiet)
    scores: dict[str, Score] = {}
    classes: dict[str, ClassScores] = {}
    if (joined.videos >= 0).any() and len(joined.truth.labels.classes):
        counts |= _score_videos(joined, draws, config.top_k, scores, classes)
    if (joined.segment_videos >= 0).any() and len(joined.truth.ratings):
        counts |= _score_segments(joined, draws, config, scores, classes, quiet)
    if not scores:
        raise _nothing(joined)
    return Scored(scores, classes, counts, truth, evaluated, config)


def _opened(path: Path, data: Dataset) -> Predictions:
    """Return predictions; those that do not say their classes have those of the data."""
    file = open_scores(path, None if data.classes.inferred else data.num_classes)
    more = max(data.num_classes, file.info.num_classes)
    return file.with_classes(more) if file.info.inferred else file


def _score_videos(
    joined: MatchedPredictions,
    draws: Bootstrap,
    top_k: int,
    scores: dict[str, Score],
    classes: dict[str, ClassScores],
) -> dict[str, int]:
    """Add the scores of whole videos, and return the counts behind them."""
    truth = joined.truth
    found = joined.read_videos(top_k)
    owners, categories = truth.labels.row_of_entry(), truth.labels.classes
    pairs, everything = found.pairs, np.zeros_like(categories)
    one_list = dataclasses.replace(pairs, classes=np.broadcast_to(np.int32(0), len(pairs.classes)))
    gap = _class_scores([one_list], ClassCounts(everything, owners, 1), draws, "GAP")
    scores[f"gap@{top_k}"] = Score(float(gap.precision[0]), gap.replicates[0].numpy())
    by_video = np.stack([found.hit_at_one, found.precision])
    scores["hit@1"], scores["perr"] = _means(by_video, joined.labelled, draws)
    by_class = [pairs] if found.longest <= top_k else joined.read_classes(found.counts)
    positives = ClassCounts(categories, owners, truth.num_classes)
    classes["video"] = _class_scores(by_class, positives, draws, "mAP")
    everywhere = torch.ones(truth.num_classes, dtype=torch.bool)
    scores["map"] = _over_classes(classes["video"], everywhere, "rated")
    return {"map_classes": int((positives.counts > 0).sum()), "map_truncated_at": found.longest}


def _score_segments(
    joined: MatchedPredictions,
    draws: Bootstrap,
    config: EvaluationConfig,
    scores: dict[str, Score],
    classes: dict[str, ClassScores],
    quiet: bool,
) -> dict[str, int]:
    """Add MAP@K, and return the counts behind it."""
    truth, k, average_over = joined.truth, config.k, config.average_over
    pairs, is_listed = joined.read_segments(k)
    rated = truth.ratings.keep(truth.ratings.is_positive)
    positives = ClassCounts(rated.classes, rated.video_of_rating(), truth.num_classes)
    classes["segment"] = _class_scores([pairs], positives, draws, "MAP@K")
    listed = torch.from_numpy(is_listed)
    scores["map@k"] = _over_classes(classes["segment"], listed, average_over)
    missing = int(((positives.counts > 0) & ~listed).sum())
    if missing and not quiet:
        fate = "counted as 0 (--average-over listed leaves them out)"
        fate = fate if average_over == "rated" else "left out"
        say(f"{missing:,} classes with a rated positive are in no row of a segment: {fate}")
    averaged = (positives.counts > 0) & (listed | (average_over == "rated"))
    found = {"segments": len(truth.ratings), "classes": int(averaged.sum())}
    found |= {"classes_unlisted": missing, "k": k}
    if by_overlap := int(joined.unpredicted().sum()):
        found["segments_by_overlap"] = by_overlap
        if not quiet:
            say(
                f"{by_overlap:,} of {len(truth.ratings):,} rated windows were not predicted as "
                "such: they have the mean of the predictions that overlap them "
                "(`reeltag predict --segments --rated` scores exactly the rated windows)"
            )
    return found


def _class_scores(
    parts: Iterable[ScoredPairs], positives: ClassCounts, draws: Bootstrap, what: str
) -> ClassScores:
    """Rank the pairs of each class; a class has all its pairs in one part."""
    num_classes = len(positives.counts)
    precision = torch.zeros(num_classes, dtype=torch.double)
    replicates = torch.zeros(num_classes, draws.replicates, dtype=torch.double)
    for pairs in parts:
        ranking = rank_pairs(
            torch.from_numpy(pairs.scores),
            torch.from_numpy(pairs.hits),
            torch.from_numpy(pairs.classes) if num_classes > 1 else None,
        )
        precision += ranking.average_precision(positives.counts)
        weighted = WeightedRanking(ranking, torch.from_numpy(pairs.owners))
        del ranking  # 8 bytes per pair, which the replicates can do without
        done = 0
        for weights in draws.weights(what):
            part = slice(done, done + weights.replicates)
            counts_CR = positives.weighted(weights)
            replicates[:, part] += weighted.average_precision(counts_CR, weights)
            done = part.stop
    unseen = replicates.isnan()  # else rare classes, often the worse ones, would leave the means
    replicates = torch.where(unseen, precision.unsqueeze(1), replicates)
    return ClassScores(precision, replicates, positives.counts)


def _over_classes(found: ClassScores, listed: Tensor, average_over: AverageOver) -> Score:
    value = float(mean_over_classes(found.precision, listed, average_over))
    columns = [mean_over_classes(c, listed, average_over) for c in found.replicates.unbind(1)]
    return Score(value, np.array([float(column) for column in columns]))


def _means(
    values_QV: NDArray[np.float64], counted_V: NDArray[np.bool_], draws: Bootstrap
) -> list[Score]:
    """Return the means over the videos that count; the values of the others are 0."""
    sums = torch.from_numpy(np.concatenate([values_QV, [counted_V]]))
    parts = [weights.totals(sums) for weights in draws.weights()]
    totals = torch.cat(parts, dim=1) if parts else torch.zeros(len(sums), 0)
    values = values_QV[:, counted_V].mean(axis=1).tolist()
    replicates = (totals[:-1] / totals[-1]).numpy()
    return [Score(value, of_one) for value, of_one in zip(values, replicates, strict=True)]


def _counts(joined: MatchedPredictions, split: Split | None) -> dict[str, int]:
    """Return how many videos are evaluated, and what does not fit together."""
    rows = np.concatenate([joined.videos, joined.segment_videos])
    unknown = int((rows < 0).sum())
    if unknown == len(rows):
        some = "it has no rows" if not len(rows) else f"none of its {len(rows):,} rows"
        where = f"the split {split!r} of {joined.truth.data}" if split else joined.truth.data
        raise DataError(
            f"is about no video of {where}: {some}",
            where=joined.file.path,
            hint="Give the data that were predicted, and the --split of them.",
        )
    predicted = len(np.unique(rows[rows >= 0]))
    return {
        "videos": int((joined.labelled | joined.rated).sum()),
        "rows_without_truth": unknown,
        "videos_without_prediction": len(joined.truth) - predicted,
    }


def _log_counts(counts: dict[str, int], split: Split | None, data: Dataset) -> None:
    place = f"the split {split!r}" if split else str(data.path)
    if counts["rows_without_truth"]:
        say(f"{counts['rows_without_truth']:,} rows are about videos outside {place}: left out")
    if counts["videos_without_prediction"]:
        fate = "their labels count as missed" if split else "left out (--split counts them)"
        say(f"{counts['videos_without_prediction']:,} videos of {place} have no prediction: {fate}")


def _log_about(file: Predictions, blank_std: float) -> None:
    about = file.info
    if about.ranks:
        say(
            f"{file.path} has ranks alone, as a submission of 2019 does: MAP@K can be computed, "
            "for nothing else of a score enters it than the order within a class"
        )
    if about.blank and blank_std < about.blank_std:
        say(
            f"{about.blank:,} videos were not scored, being blank (std <= {about.blank_std:g}): "
            f"their labels count as missed; --blank-std {about.blank_std:g} leaves them out"
        )


def _nothing(joined: MatchedPredictions) -> DataError:
    kinds = [
        f"{len(rows):,} {kind}"
        for rows, kind in ((joined.videos, "videos"), (joined.segment_videos, "segments"))
        if len(rows)
    ]
    return DataError(
        f"holds no labels or ratings for {' and '.join(kinds)} that {joined.file.path} is about",
        where=joined.truth.data,
        hint="Whole videos need `labels`, segments need `segment_scores` in the records.",
    )


def _write_classes(path: Path, truth: Truth, classes: dict[str, ClassScores]) -> None:
    """Write a line for each class: its positives and its average precision, empty = undefined."""
    columns = ["class", "name"]
    for kind in classes:
        columns += [f"{kind}_positives", f"{kind}_average_precision"]
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file)
        writer.writerow(columns)
        for number in range(truth.num_classes):
            line: list[object] = [number, truth.names[number] if truth.names else f"class {number}"]
            for found in classes.values():
                precision = float(found.precision[number])
                line.append(int(found.num_positives[number]))
                line.append(f"{precision:.6f}" if np.isfinite(precision) else "")
            writer.writerow(line)
