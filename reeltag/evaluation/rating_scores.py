"""Ratings and predictions: scores of their windows, thresholds by these, ratings within moments.

Letters in shapes: Q ratings, C classes, M moments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.data.splits import Split
from reeltag.evaluation.thresholds import choose_thresholds
from reeltag.evaluation.truth import Truth, read_truth
from reeltag.inference.batches import batches_of
from reeltag.inference.predict import check_fit, rated_windows
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class RatingScores:
    """Q ratings and their scores.

    Attributes:
        truth: with the ratings.
        scores: (Q,) logits; NaN where no row is of the rated window, or lists the class.
    """

    truth: Truth
    scores: NDArray[np.float64]

    @classmethod
    def of_rows(cls, parts: Iterable[PredictionRows], truth: Truth) -> "RatingScores":
        """Return the scores that rows of segments give to the ratings of their windows."""
        scores = np.full(len(truth.ratings.classes), np.nan)
        for rows in parts:
            segments = truth.segments_of(truth.videos_of(rows.ids), rows.starts, rows.ends)
            row = rows.row_of_entry()
            entry = np.flatnonzero(segments[row] >= 0)
            rating = truth.ratings_of(segments[row[entry]], rows.classes[entry])
            scores[rating[rating >= 0]] = rows.scores[entry[rating >= 0]]
        return cls(truth, scores)

    @property
    def num_scored(self) -> int:
        """How many ratings have a score."""
        return int((~np.isnan(self.scores)).sum())

    def thresholds(self, names: tuple[str, ...], precision: float) -> Thresholds:
        """Return the thresholds that promise a precision; see `choose_thresholds`."""
        ratings, known = self.truth.ratings, ~np.isnan(self.scores)
        return choose_thresholds(
            self.scores[known],
            ratings.is_positive[known],
            ratings.classes[known],
            names,
            precision=precision,
            videos=ratings.video_of_rating()[known],
        )


def score_ratings(
    tagger: AnyTagger, data: Dataset, split: Split, *, batch_size: int = 64, device: str = "auto"
) -> RatingScores:
    """Return the ratings of a split, each with the tagger's score of exactly its window.

    Args:
        tagger: put into eval mode and onto the device.
        data: with ratings.
        split: of the ratings.
        batch_size: videos that are scored at once.
        device: cpu, cuda, ...; auto takes a GPU where there is one.

    Raises:
        ConfigError: nothing is rated, or tagger and data do not fit each other.
        DataError: the data cannot be read, or a score is not a number.
    """
    truth = read_truth(data, split, tagger.num_classes, quiet=True)
    classes = np.unique(truth.ratings.classes)
    if not len(classes):
        raise ConfigError(
            f"none of the {len(truth):,} videos of the split {split!r} is rated: there is nothing "
            "to choose thresholds on",
            where=data.location,
            hint="Name a split with ratings that trained nothing: --thresholds-split test; or give "
            "one threshold for all classes: --prob 0.5. `reeltag solve moments` chooses them on "
            "the ratings that it holds out.",
        )
    choices = InferenceConfig(
        videos=False,
        segments=True,
        rated=True,
        segment_top_k=len(classes),
        segment_classes=tuple(classes.tolist()),
        batch_size=batch_size,
        device=device,
    )
    check_fit(tagger, data, choices)
    rated = np.diff(lists_of(data.table, "segment_starts")[0]) > 0
    items = data.videos(split, streams=tuple(name for name, _ in tagger.streams), rows=rated)
    scorer = Scorer(tagger, tagger.num_classes, choices, rated=rated_windows(items))

    def rows() -> Iterator[PredictionRows]:
        batches = batches_of(items, scorer)
        for batch in track(batches, "scoring ratings", total=len(batches)):
            for _, segments in scorer.score_parts(batch):
                if segments is not None:
                    yield segments

    return RatingScores.of_rows(rows(), truth)


def ratings_within(
    intervals: Intervals, truth: Truth
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (M,) how many ratings of its class within each interval are yes, and how many no.

    A rating is within an interval where the middle of its window is.
    """
    ratings = truth.ratings
    window = ratings.row_of_entry()
    cells = ratings.videos[window] * truth.num_classes + ratings.classes
    order = np.argsort(cells, kind="stable")
    videos = truth.videos_of(intervals.ids)
    wanted = np.where(videos < 0, -1, videos * truth.num_classes + intervals.classes)
    first, last = (np.searchsorted(cells[order], wanted, side) for side in ("left", "right"))
    count = last - first
    interval = np.repeat(np.arange(len(intervals)), count)
    rating = order[np.arange(len(interval)) - np.repeat(np.cumsum(count) - count - first, count)]
    middle = (ratings.starts + ratings.ends)[window[rating]] / 2
    within = (middle >= intervals.start_s[interval]) & (middle < intervals.end_s[interval])
    positive = ratings.is_positive[rating]
    yes, no = (
        np.bincount(interval[within & kind], minlength=len(intervals))
        for kind in (positive, ~positive)
    )
    return yes, no
