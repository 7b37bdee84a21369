"""Predictions and the truth: which video a row is about, and which of its classes are there.

Letters in shapes: N rows or pairs, V videos, C classes, K pairs that are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import DataError, reason_of
from reeltag.evaluation.overlap import OverlapMeans
from reeltag.evaluation.truth import Numbers, Truth
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import WHOLE_VIDEO, Kind, PredictionRows, row_name, window_keys
from reeltag.predictions.sealed_parquet import open_checked

_MAX_PAIRS = 1 << 24  # pairs that are held and sorted at once; more classes take further readings


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """K predictions of a class, in the order of the file; what the rankings are made of.

    Attributes:
        scores: (K,) float32.
        classes: (K,) int32.
        owners: (K,) int32, the video.
        hits: (K,) bool, whether the class is there.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    owners: NDArray[np.int32]
    hits: NDArray[np.bool_]

    def where(self, keep: NDArray[np.bool_]) -> "ScoredPairs":
        """Return the pairs where `keep` (K,)."""
        return ScoredPairs(
            self.scores[keep], self.classes[keep], self.owners[keep], self.hits[keep]
        )

    @staticmethod
    def concatenate(parts: list["ScoredPairs"]) -> "ScoredPairs":
        """Return all pairs of `parts`, which may be none.

        The parts are let go column by column, so that the pairs are not held twice; `parts` is
        empty afterwards.
        """
        columns = [
            [np.zeros(0, dtype), *(getattr(part, name) for part in parts)]
            for name, dtype in _COLUMNS.items()
        ]
        parts.clear()
        return ScoredPairs(*(np.concatenate(columns.pop(0)) for _ in _COLUMNS))


_COLUMNS = {"scores": np.float32, "classes": np.int32, "owners": np.int32, "hits": np.bool_}


@dataclass(frozen=True, eq=False)
class VideoPairs:
    """Predictions of whole videos.

    Attributes:
        pairs: each known video's first `top_k` classes.
        hit_at_one: (V,) 1.0 where the first class is there.
        precision: (V,) fraction of a video's n labels among its first n classes; 0 without labels.
        longest: classes in the longest row.
        counts: (C,) rows of known videos that hold the class.
    """

    pairs: ScoredPairs
    hit_at_one: NDArray[np.float64]
    precision: NDArray[np.float64]
    longest: int
    counts: Numbers


class MatchedPredictions:
    """A prediction file and the truth, joined by id; read as often as is needed.

    Args:
        file: of predictions.
        truth: about V videos.
        only_predicted: leave labels of videos without a row, and ratings in videos without a row
            of a segment, out of the truth.
        quiet: show no progress.

    Attributes:
        truth: as given, or what is left of it.
        labelled: (V,) bool, the videos that count for the scores of whole videos.
        rated: (V,) bool, those that count for the scores of segments.
        videos: the video of each row of a whole video, -1 = unknown.
        segment_videos: the video of each row of a segment, likewise.
        segments: the rated segment of each row of a segment, -1 = unrated.

    Raises:
        DataError: the file is damaged, an id is missing, or two rows are about the same thing.
    """

    def __init__(
        self, file: Predictions, truth: Truth, *, only_predicted: bool = False, quiet: bool = False
    ) -> None:
        self.file, self._quiet = file, quiet
        codes, starts, ends, ids = _read_keys(file)
        videos = truth.videos_of(ids)[codes]
        is_segment = starts != WHOLE_VIDEO
        self.videos = videos[~is_segment]
        self.segment_videos = videos[is_segment]
        all_V = np.full(len(truth), not only_predicted)
        self.labelled = all_V | _is_among(self.videos, len(truth))
        self.rated = all_V | _is_among(self.segment_videos, len(truth))
        self.truth = truth.select(self.labelled, self.rated) if only_predicted else truth
        self.segments = self.truth.segments_of(
            self.segment_videos, starts[is_segment], ends[is_segment]
        )

    def read_videos(self, top_k: int) -> VideoPairs:
        """Read the rows of whole videos, and keep the `top_k` best classes of each.

        DataError where the scores of a row rise, or it holds a class twice.
        """
        truth, num_classes = self.truth, self.truth.num_classes
        num_labels = truth.labels.counts()
        hit_at_one, found = np.zeros(len(truth)), np.zeros(len(truth))
        longest, counts = 0, np.zeros(num_classes, dtype=np.int64)
        parts = []
        for rows, of_row in self._rows("videos", self.videos):
            row = rows.row_of_entry()
            self._check(rows, row)
            longest = max(longest, int(rows.counts().max()))
            place = rows.place_in_row()
            known = of_row[row] >= 0
            counts += np.bincount(rows.classes[known], minlength=num_classes)
            wanted = known & (place < np.maximum(top_k, num_labels[of_row[row]]))
            place, pairs = place[wanted], self._pairs(rows, wanted, of_row[row[wanted]])
            owners = pairs.owners
            hit_at_one[owners[pairs.hits & (place == 0)]] = 1
            counted = pairs.hits & (place < num_labels[owners])
            np.add.at(found, owners[counted], 1)
            parts.append(pairs.where(place < top_k))
        precision = found / np.maximum(num_labels, 1)
        return VideoPairs(ScoredPairs.concatenate(parts), hit_at_one, precision, longest, counts)

    def read_classes(self, counts: Numbers) -> Iterator[ScoredPairs]:
        """Yield all pairs of known videos, some classes at a time, so that memory is bounded.

        Args:
            counts: (C,) pairs of each class, of `read_videos`.
        """
        for first, last in class_ranges(counts, _MAX_PAIRS):
            parts = []
            for rows, of_row in self._rows("videos", self.videos):
                wanted = (rows.classes >= first) & (rows.classes < last)
                row = rows.row_of_entry()[wanted]
                wanted[wanted] = of_row[row] >= 0
                parts.append(self._pairs(rows, wanted, of_row[row[of_row[row] >= 0]]))
            yield ScoredPairs.concatenate(parts)

    def unpredicted(self) -> NDArray[np.bool_]:
        """Return (S,) which rated windows have no row, in videos of which others were predicted."""
        missing = np.ones(len(self.truth.ratings), np.bool_)
        missing[self.segments[self.segments >= 0]] = False
        scored: NDArray[np.bool_] = _is_among(self.segment_videos, len(self.truth))
        return missing & scored[self.truth.ratings.videos]

    def read_segments(self, k: int) -> tuple[ScoredPairs, NDArray[np.bool_]]:
        """Return the rated pairs among the k best of each class, and (C,) which classes are listed.

        Equal scores keep the order of the file. A rated window that has no row of its own has the
        mean of those that overlap it, see `reeltag.evaluation.overlap`. DataError where a segment
        holds a class twice.
        """
        num_classes, unpredicted = self.truth.num_classes, self.unpredicted()
        windows = self.truth.ratings.where(unpredicted)
        means = OverlapMeans(windows, num_classes) if len(windows) else None
        counts = np.zeros(num_classes, dtype=np.int64)
        parts, positions, ratings = [], [], []
        before = done = 0
        for rows, of_row in self._rows("segments", self.segments):
            counts += np.bincount(rows.classes, minlength=num_classes)
            row = rows.row_of_entry()
            rated = np.flatnonzero(of_row[row] >= 0)
            rating = self.truth.ratings_of(of_row[row[rated]], rows.classes[rated])
            rated, rating = rated[rating >= 0], rating[rating >= 0]
            owners = self.truth.ratings.videos[of_row[row[rated]]]
            hits = self.truth.ratings.is_positive[rating]
            columns = rows.scores[rated], rows.classes[rated], owners.astype(np.int32), hits
            parts.append(ScoredPairs(*columns))
            positions.append(before + rated)
            ratings.append(rating)
            before += len(row)
            if means is not None:
                means.add(rows, self.segment_videos[done : done + len(rows)])
            done += len(rows)
        if means is not None:
            overlapped, scores = means.scores()
            videos = windows.video_of_rating()[overlapped].astype(np.int32)
            hits = windows.is_positive[overlapped]
            parts.append(ScoredPairs(scores[overlapped], windows.classes[overlapped], videos, hits))
            positions.append(before + np.arange(len(videos)))
        pairs, position = (
            ScoredPairs.concatenate(parts),
            np.concatenate([np.zeros(0, np.int64), *positions]),
        )
        self._check_rated_once(np.concatenate([np.zeros(0, np.int64), *ratings]))
        full = counts > k  # elsewhere the cut cannot reach a rated pair
        if full.any():
            pairs = pairs.where(self._ranks(pairs, position, full) <= k)
        return pairs, counts > 0

    def _ranks(self, pairs: ScoredPairs, position: Numbers, full: NDArray[np.bool_]) -> Numbers:
        """Return the rank of each pair among all pairs of its class, 0 where it is not `full`."""
        order = np.lexsort((position, -pairs.scores, pairs.classes))
        order = order[full[pairs.classes[order]]]
        classes = np.append(pairs.classes[order], -1)
        keys = _falling_keys(pairs.classes[order], pairs.scores[order])
        run = np.cumsum(np.append(0, keys[1:] != keys[:-1]))[: len(keys)]
        places = run << 38 | position[order]  # rising: class, falling score, place in the file
        ahead = np.zeros(len(classes), dtype=np.int64)
        before = 0
        for rows, _ in self._rows("segments", self.segments):
            mine = np.flatnonzero(full[rows.classes])
            wanted = _falling_keys(rows.classes[mine], rows.scores[mine])
            at = np.searchsorted(keys, wanted)
            tied = np.append(keys, -1)[at] == wanted
            equal = run[at[tied]] << 38 | (before + mine[tied])
            at[tied] = np.searchsorted(places, equal)
            at = at[classes[at] == rows.classes[mine]]  # the others come after all rated ones
            ahead += np.bincount(at, minlength=len(ahead))
            before += len(rows.classes)
        upto = np.append(0, np.cumsum(ahead[:-1]))
        ranks = np.zeros(len(pairs.classes), dtype=np.int64)
        ranks[order] = upto[1:] - upto[np.searchsorted(classes[:-1], classes[:-1])]
        return ranks

    def _rows(self, kind: Kind, of_row: Numbers) -> Iterator[tuple[PredictionRows, Numbers]]:
        """Yield rows and what each of them is about."""
        batches, done = self.file.rows(kind), 0
        for rows in batches if self._quiet else track(batches, f"reading {kind}"):
            yield rows, of_row[done : done + len(rows)]
            done += len(rows)

    def _pairs(
        self, rows: PredictionRows, wanted: NDArray[np.bool_], owners: Numbers
    ) -> ScoredPairs:
        classes = rows.classes[wanted]
        hits = self.truth.has_label(owners, classes)
        return ScoredPairs(rows.scores[wanted], classes, owners.astype(np.int32), hits)

    def _check(self, rows: PredictionRows, row: Numbers) -> None:
        rises = rows.rises()
        if rises.any():
            name = rows.row_name(int(row[rises.argmax()]))
            raise self.file.broken(f"the scores of {name} are not best first")
        keys = np.sort(rows.cells(self.truth.num_classes))
        twice = keys[1:] == keys[:-1]
        if twice.any():
            at, category = divmod(int(keys[twice.argmax()]), self.truth.num_classes)
            raise self.file.broken(f"the row of {rows.row_name(at)} holds class {category} twice")

    def _check_rated_once(self, ratings: Numbers) -> None:
        ratings = np.sort(ratings)
        twice = ratings[1:] == ratings[:-1]
        if twice.any():
            rated, rating = self.truth.ratings, int(ratings[twice.argmax()])
            segment = int(rated.row_of_entry()[rating])
            video = self.truth.ids[int(rated.videos[segment])].as_py()
            raise self.file.broken(
                f"{row_name(video, float(rated.starts[segment]))} holds class "
                f"{rated.classes[rating]} twice"
            )


def class_ranges(counts: Numbers, most: int) -> Iterator[tuple[int, int]]:
    """Yield [first, last) of classes that have at most `most` pairs together, or are one class."""
    first, held = 0, 0
    for category, count in enumerate(counts.tolist()):
        if category > first and held + count > most:
            yield first, category
            first, held = category, 0
        held += count
    yield first, len(counts)


def _is_among(videos: Numbers, num_videos: int) -> NDArray[np.bool_]:
    """Return (V,) which videos are named, where -1 names none."""
    named = np.zeros(num_videos, dtype=np.bool_)
    named[videos[videos >= 0]] = True
    return named


def _falling_keys(classes: NDArray[np.int32], scores: NDArray[np.float32]) -> Numbers:
    """Return (N,) numbers that rise with the class and, within it, as the score falls."""
    bits = scores.view(np.int32).astype(np.int64)
    rising = np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))
    keys: Numbers = classes.astype(np.int64) << 32 | ((1 << 31) - rising)
    return keys


def _read_keys(
    file: Predictions,
) -> tuple[Numbers, NDArray[np.float64], NDArray[np.float64], pa.Array]:
    """Return of each row the number of its id, its start and its end, and the ids."""
    try:
        with open_checked(file.parquet, read_dictionary=["id"]) as parquet:
            table = parquet.read(columns=["id", "start_s", "end_s"])
        table = table.unify_dictionaries().combine_chunks()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise file.broken(f"cannot be read ({reason_of(error)})") from error
    column = table["id"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # a file without rows
        column = pa.array([], pa.dictionary(pa.int32(), pa.string()))
    codes = column.indices.fill_null(-1).to_numpy().astype(np.int64)
    starts, ends = (table[name].fill_null(WHOLE_VIDEO).to_numpy() for name in ("start_s", "end_s"))
    if (codes < 0).any() or (starts < 0).sum() > table["start_s"].null_count:
        raise file.broken("has a row without an id, or with a start before 0 s")
    ids = column.dictionary.cast(pa.string())
    keys = window_keys(codes, starts, ends)
    order = np.argsort(keys, kind="stable")
    twice = keys[order][1:] == keys[order][:-1]
    if twice.any():
        row = int(order[twice.argmax()])
        name = row_name(ids[int(codes[row])].as_py(), float(starts[row]))
        raise DataError(
            f"has more than one row for {name}; a video or segment is scored once",
            where=file.path,
            hint="Were two prediction files joined? Evaluate them one at a time.",
        )
    return codes, starts, ends, ids
