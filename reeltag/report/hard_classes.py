"""Classes of the lowest average precision in rated segments, and possible reasons.

Letters in shapes: C classes, Q ratings of a class in a segment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.labels.correlation import Implication
from reeltag.report.evaluated import EvaluatedFile, SegmentFacts, labels_of
from reeltag.report.facts import TrainingLabels

NUM_HARD = 20
NUM_COMPANIONS = NUM_RIVALS = 3
LEAST_TOGETHER = 2  # videos: one alone may be chance
FEW = 10  # positives: with fewer a single segment moves the average precision by percents
MARGIN = 0.02  # above a random order, below which a class counts as no better than it


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A rated negative that scores higher than positives of the class.

    Attributes:
        id: of its video.
        start: second at which the window begins.
        above: positives with a lower score, or without one.
    """

    id: str
    start: float
    above: int


@dataclass(frozen=True, eq=False)
class RatedClasses:
    """Counts by class, and average precision as evaluate has it.

    Attributes:
        shown: classes that MAP@K is the mean over, the worst first.
        precision: (C,) NaN without positives.
        random_precision: (C,) expected average precision of a random order of the rated segments.
        positives: (C,) rated positives here; negatives likewise.
        negatives: (C,).
        elsewhere: (C, 2) rated positives and negatives in other parts of the data.
        unscored: (C,) positives whose segment does not hold the class.
    """

    shown: NDArray[np.int64]
    precision: NDArray[np.float64]
    random_precision: NDArray[np.float64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    elsewhere: NDArray[np.int64]
    unscored: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class HardClass:
    """A class of low average precision.

    Attributes:
        label: the class.
        companions: labels that go with it most often, in two training videos or more.
        rivals: the negatives above most positives.
        confused: negatives that score above at least half of the positives.
        company: labels that two of their videos have or more, and how many; most frequent first.
    """

    label: int
    companions: tuple[Implication, ...]
    rivals: tuple[Rival, ...]
    confused: int
    company: tuple[tuple[int, int], ...]


def rated_classes(file: EvaluatedFile, facts: SegmentFacts) -> RatedClasses:
    """Return counts and average precision of each rated class."""
    truth, num_classes = file.truth, file.truth.num_classes
    classes, positive = truth.ratings.classes, truth.ratings.is_positive

    def count(where: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(classes[where], minlength=num_classes)

    positives, negatives = count(positive), count(~positive)
    everywhere = file.records.dataset.select("all")
    _, labels = everywhere.lists("segment_labels")
    _, verdicts = everywhere.lists("segment_scores")
    both = [np.bincount(labels[(verdicts > 0) == sign], minlength=num_classes)[:num_classes]
            for sign in (True, False)]  # fmt: skip
    here = np.stack([positives, negatives], axis=1)
    precision = file.precision["segment"]
    counted = facts.listed | (file.scores["average_over"] == "rated")
    shown = np.flatnonzero(~np.isnan(precision) & counted)
    return RatedClasses(
        shown=shown[np.argsort(precision[shown], kind="stable")],
        precision=precision,
        random_precision=random_precision(positives, negatives),
        positives=positives,
        negatives=negatives,
        elsewhere=np.maximum(np.stack(both, axis=1) - here, 0),
        unscored=count(positive & np.isnan(facts.scores)),
    )


def random_precision(
    positives: NDArray[np.int64], negatives: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the expected average precision of a random order, NaN without positives.

    With R positives among n, the k-th place adds (1 + (k - 1)(R - 1) / (n - 1)) / (n k).
    """
    n = positives + negatives
    harmonic = np.append(0, np.cumsum(1 / np.arange(1, n.max(initial=0) + 1)))[n]
    later = (n - harmonic) * (positives - 1) / np.maximum(n - 1, 1)
    return np.where(positives > 0, (harmonic + later) / np.maximum(n, 1), np.nan)


def hard_classes(
    file: EvaluatedFile, facts: SegmentFacts, classes: RatedClasses, training: TrainingLabels
) -> list[HardClass]:
    """Return the twenty classes of the lowest average precision, the worst first."""
    truth = file.truth
    of_rating = truth.ratings.classes
    found = []
    for label in classes.shown[:NUM_HARD].tolist():
        ratings = np.flatnonzero(of_rating == label)
        positive = truth.ratings.is_positive[ratings]
        scores = np.nan_to_num(facts.scores[ratings], nan=-np.inf)
        negatives, lows = ratings[~positive], scores[~positive]
        above = np.searchsorted(np.sort(scores[positive]), lows)
        order = np.lexsort((-lows, -above))
        order = order[above[order] > 0]
        confused = negatives[2 * above >= max(int(positive.sum()), 1)]
        found.append(
            HardClass(
                label=label,
                companions=_companions(training, label),
                rivals=tuple(
                    _rival(file, int(negatives[at]), int(above[at])) for at in order[:NUM_RIVALS]
                ),
                confused=len(confused),
                company=_common_labels(file, confused, label),
            )
        )
    return found


def reasons(label: int, classes: RatedClasses, training: TrainingLabels) -> list[str]:
    """Return possible reasons of a low average precision, as phrases."""
    words = []
    typical = training.counts[classes.shown]
    if training.counts[label] == 0:
        words.append(f"no {training.of.removesuffix('s')}")
    elif training.counts[label] < np.quantile(typical, 0.25):
        words.append(f"few {training.of}")
    if classes.elsewhere.any() and not classes.elsewhere[label, 0]:
        words.append("no rated positive elsewhere")
    if classes.positives[label] < FEW:
        words.append("measured on few positives")
    if classes.unscored[label]:
        words.append(f"{classes.unscored[label]:,} positives without a score")
    if classes.precision[label] < classes.random_precision[label] + MARGIN:
        words.append("no better than a random order")
    return words


def _companions(training: TrainingLabels, label: int) -> tuple[Implication, ...]:
    surest = training.correlation.strongest(NUM_COMPANIONS, first=label)
    return tuple(one for one in surest if one.together >= LEAST_TOGETHER)


def _rival(file: EvaluatedFile, rating: int, above: int) -> Rival:
    rated = file.truth.ratings
    segment = int(np.searchsorted(rated.indptr, rating, side="right")) - 1
    video = file.truth.ids[int(rated.videos[segment])].as_py()
    return Rival(id=video, start=float(rated.starts[segment]), above=above)


def _common_labels(
    file: EvaluatedFile, ratings: NDArray[np.int64], label: int
) -> tuple[tuple[int, int], ...]:
    """Return three labels at most that the videos of these ratings have most often."""
    truth = file.truth
    videos = np.unique(truth.ratings.video_of_rating()[ratings])
    found = [labels_of(truth, video) for video in videos.tolist()]
    counts = np.bincount(np.concatenate([np.zeros(0, np.int64), *found]),
                         minlength=truth.num_classes)  # fmt: skip
    counts[label] = 0
    best = np.argsort(-counts, kind="stable")[:NUM_COMPANIONS]
    return tuple((int(c), int(counts[c])) for c in best if counts[c] >= LEAST_TOGETHER)
