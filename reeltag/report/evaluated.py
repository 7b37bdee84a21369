"""Predictions with their scores, as the page needs them; read batch by batch, never held whole.

Letters in shapes: V videos, C classes, Q ratings of a class in a segment, R rows of the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.selection import Records
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.matching import MatchedPredictions
from reeltag.evaluation.scores import score_file
from reeltag.evaluation.truth import Truth
from reeltag.predictions.file import Predictions, open_predictions
from reeltag.report.facts import Reliability, rows_of

NUM_EXAMPLES = 8  # videos whose best classes are shown


@dataclass(frozen=True, eq=False)
class EvaluatedFile:
    """A prediction file, the truth and the scores.

    Attributes:
        predictions: the file.
        records: of the split.
        truth: labels and ratings of V videos; without a split, of the predicted ones alone.
        scores: as `reeltag evaluate --json` prints them.
        precision: "video" or "segment" -> (C,) average precision, NaN without positives.
        evaluated: (V,) bool, the videos that the scores are over.
        seconds: (V,) length.
    """

    predictions: Predictions
    records: Records
    truth: Truth
    scores: Mapping[str, Any]
    precision: Mapping[str, NDArray[np.float64]]
    evaluated: NDArray[np.bool_]
    seconds: NDArray[np.float64]

    @property
    def data(self) -> Dataset:
        """The data set of the truth."""
        return self.records.dataset

    def joined(self) -> MatchedPredictions:
        """Return the file joined with the truth, for another pass."""
        return MatchedPredictions(self.predictions, self.truth, quiet=True)


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """Predictions of whole videos.

    Attributes:
        reliability: of all pairs of a video and a class that the file keeps.
        predicted: (V,) bool, the video has a row.
        examples: some videos with their classes, best first: (video, classes, scores).
    """

    reliability: Reliability
    predicted: NDArray[np.bool_]
    examples: list[tuple[int, NDArray[np.int32], NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class SegmentFacts:
    """Predictions of rated segments.

    Attributes:
        scores: (Q,) float32 logits, in the order of `truth.ratings`; NaN where the segment has
            no row, or the class is not kept in it.
        listed: (C,) bool, the class is in a row of a segment.
        reliability: of the ratings with a score.
    """

    scores: NDArray[np.float32]
    listed: NDArray[np.bool_]
    reliability: Reliability


def evaluate_file(
    predictions: Path, data: Dataset, config: EvaluationConfig, *, quiet: bool
) -> EvaluatedFile:
    """Score a file of predictions; arguments and errors as `reeltag.evaluation.scores.evaluate`."""
    found = score_file(predictions, data, config, quiet=quiet)
    records, truth = data.select(config.split or "all"), found.truth
    if config.split is None:
        truth = truth.select(found.evaluated, found.evaluated)
    of_record = rows_of(truth.ids, _whole(records.table["id"]))
    return EvaluatedFile(
        predictions=open_predictions(predictions),
        records=records,
        truth=truth,
        scores=found.summary(),
        precision={kind: scores.precision.numpy() for kind, scores in found.classes.items()},
        evaluated=found.evaluated,
        seconds=records.column("frames")[of_record] / data.features.rate_hz,
    )


def read_videos(file: EvaluatedFile) -> VideoFacts:
    """Read the predictions of whole videos in one pass."""
    truth, joined = file.truth, file.joined()
    predicted = np.zeros(len(truth), dtype=bool)
    predicted[joined.videos[joined.videos >= 0]] = True
    there = np.flatnonzero(predicted)
    chosen = there[np.linspace(0, len(there) - 1, min(NUM_EXAMPLES, len(there))).astype(int)]
    reliability, examples, done = Reliability(), list[Any](), 0
    for rows in file.predictions.rows("videos"):
        of_row = joined.videos[done : done + len(rows)]
        done += len(rows)
        owners = of_row[rows.row_of_entry()]
        known = owners >= 0
        hits = truth.has_label(owners[known], rows.classes[known])
        reliability.add(rows.scores[known], hits)
        for row in np.flatnonzero(np.isin(of_row, chosen)).tolist():
            pairs = slice(rows.indptr[row], rows.indptr[row + 1])
            examples.append(
                (int(of_row[row]), rows.classes[pairs].copy(), rows.scores[pairs].copy())
            )
    return VideoFacts(reliability, predicted, sorted(examples, key=lambda example: example[0]))


def read_segments(file: EvaluatedFile) -> SegmentFacts:
    """Read the predictions of the rated segments in one pass."""
    truth, joined = file.truth, file.joined()
    scores = np.full(len(truth.ratings.classes), np.nan, np.float32)
    listed = np.zeros(truth.num_classes, dtype=bool)
    done = 0
    for rows in file.predictions.rows("segments"):
        of_row = joined.segments[done : done + len(rows)]
        done += len(rows)
        listed[rows.classes] = True
        segments = of_row[rows.row_of_entry()]
        rated = np.flatnonzero(segments >= 0)
        rating = truth.ratings_of(segments[rated], rows.classes[rated])
        scores[rating[rating >= 0]] = rows.scores[rated[rating >= 0]]
    reliability, known = Reliability(), ~np.isnan(scores)
    reliability.add(scores[known], truth.ratings.is_positive[known])
    return SegmentFacts(scores, listed, reliability)


def labels_of(truth: Truth, video: int) -> NDArray[np.int32]:
    """Return the labels of a video, ascending."""
    return truth.labels.slice(video, video + 1).classes


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
