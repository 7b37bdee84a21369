"""The best moments of a class: the segments of all videos where its score is highest.

Segments stream by, out of a model or a prediction file, and only the best are kept: memory is that
of the lists, whatever the number of videos.

Letters in shapes: P pairs of a segment and a class.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.selection import Records, lists_of
from reeltag.data.splits import Split
from reeltag.inference.predict import (
    batches_of,
    check_fit,
    check_long_enough,
    log_items,
    video_scores_of,
)
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.windows import SEGMENT_SECONDS
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import AnyTagger, Tagger

Ratings: TypeAlias = Mapping[tuple[str, int, int], bool]  # id, start, class -> verdict


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A segment in the list of a class.

    Attributes:
        id: of the video.
        start_s: first second.
        end_s: one past the last; a last, partial segment ends with its video.
        prob: predicted probability of the class, in [0, 1].
        rated: whether it was rated positive; None where it is not rated.
    """

    id: str
    start_s: int
    end_s: int
    prob: float
    rated: bool | None


@dataclass(frozen=True, order=True)
class _Entry:
    """A segment in a list, in the order of the list: best first, the earlier of equals first."""

    falling: float
    position: int
    id: str
    start: int


class TopMoments:
    """The best segments of some classes, of a stream of rows.

    Args:
        classes: to list.
        top: segments kept for each.
        min_prob: less probable ones are not listed.
        only: these segments and classes alone are listed; None = all.

    Attributes:
        segments: rows seen so far.
    """

    def __init__(
        self,
        classes: Sequence[int],
        top: int,
        *,
        min_prob: float = 0.0,
        only: Ratings | None = None,
    ) -> None:
        self.segments = 0
        self._top, self._min_prob, self._only = top, min_prob, only
        self._lists: dict[int, list[_Entry]] = {c: [] for c in classes}
        self._num_pairs = 0

    def add(self, rows: PredictionRows) -> None:
        """Take further rows, of segments, into the lists."""
        order = rows.classes.argsort(kind="stable")
        for c, kept in self._lists.items():
            begin, end = np.searchsorted(rows.classes, [c, c + 1], sorter=order)
            pairs = order[begin:end]
            if len(kept) == self._top:
                pairs = pairs[-rows.scores[pairs] < kept[-1].falling]
            pairs = pairs[sigmoid(rows.scores[pairs]) >= self._min_prob]
            if self._only is None:
                pairs = pairs[(-rows.scores[pairs]).argsort(kind="stable")[: self._top]]
            if len(pairs):
                new = self._entries(rows, pairs, c)
                self._lists[c] = sorted([*kept, *new])[: self._top]
        self.segments += len(rows)
        self._num_pairs += len(rows.classes)

    def _entries(self, rows: PredictionRows, pairs: NDArray[np.int64], c: int) -> Iterator[_Entry]:
        at = np.searchsorted(rows.indptr, pairs, side="right") - 1
        ids, starts = rows.ids.take(pa.array(at)).to_pylist(), rows.starts[at].tolist()
        scores, positions = rows.scores[pairs].tolist(), (self._num_pairs + pairs).tolist()
        for score, position, name, start in zip(scores, positions, ids, starts, strict=True):
            if self._only is None or (name, start, c) in self._only:
                yield _Entry(-score, position, name, start)

    def ids(self) -> set[str]:
        """Return the videos that are listed."""
        return {entry.id for kept in self._lists.values() for entry in kept}

    def moments(self, lengths: Mapping[str, int], ratings: Ratings) -> dict[int, list[Moment]]:
        """Return the list of each class, best first.

        Args:
            lengths: seconds of each video that is listed.
            ratings: of segments.
        """
        return {
            c: [
                Moment(
                    id=entry.id,
                    start_s=entry.start,
                    end_s=min(entry.start + SEGMENT_SECONDS, lengths[entry.id]),
                    prob=float(sigmoid(np.array([-entry.falling], np.float32))[0]),
                    rated=ratings.get((entry.id, entry.start, c)),
                )
                for entry in kept
            ]
            for c, kept in self._lists.items()
        }


def scored_segments(
    tagger: Tagger,
    data: Dataset,
    choices: InferenceConfig,
    *,
    split: Split = "test",
    video_source: AnyTagger | Path | None = None,
    pool: Sequence[int] = (),
) -> Iterator[PredictionRows]:
    """Yield a tagger's predictions of the segments of a split, in the order of the index.

    Args:
        tagger: put into eval mode and onto the device of `choices`.
        data: with the split.
        choices: what is scored, and how; only segments are.
        split: which shards.
        video_source: as `reeltag.inference.predict.predict` has it.
        pool: as `Scorer` has it.

    Raises:
        ConfigError: tagger and data do not fit each other, the split is empty, or no video of it
            is long enough.
        DataError: the data cannot be read, or a logit is not a number.
    """
    if data.kind == "video":
        raise ConfigError(
            "holds one vector per video, in which there are no moments",
            where=data.path,
            hint="Moments need frame-level records (features at 1 Hz); `reeltag predict` scores "
            "whole videos.",
        )
    check_fit(tagger, data, choices)
    streams = tuple(name for name, _ in tagger.streams)
    items = data.videos(split, streams=streams)
    short = int((items.length < SEGMENT_SECONDS).sum())
    if short == len(items):
        raise ConfigError(
            f"none of the {short:,} videos of the split {split!r} lasts {SEGMENT_SECONDS} s, "
            f"the longest {int(items.length.max())} s",
            where=data.path,
            hint=f"A moment is {SEGMENT_SECONDS} s of features at 1 Hz; `reeltag predict` scores "
            "whole videos, however short.",
        )
    check_long_enough(items, choices)
    log_items(items, choices)
    if short:
        say(f"{short:,} videos last less than {SEGMENT_SECONDS} s: each is one moment")
    video_scores, _ = video_scores_of(video_source, tagger, items, choices)
    scorer = Scorer(tagger, tagger.num_classes, choices, video_scores=video_scores, pool=pool)
    total = -(-len(items) // choices.batch_size)
    for batch in track(batches_of(items, scorer), "scoring", total=total):
        _, rows = scorer.score(batch)
        assert rows is not None
        yield rows


def predicted_segments(path: Path) -> Iterator[PredictionRows]:
    """Yield the rows of segments of a prediction file; DataError where it holds none."""
    file, none = open_predictions(path), True
    for rows in track(file.rows("segments"), "reading"):
        none = False
        yield rows
    if none:
        raise DataError(
            "holds no predictions of segments",
            where=path,
            hint="Predict with --segments.",
        )


def ratings_of(records: Records, classes: Iterable[int]) -> Ratings:
    """Return the ratings of segments for some classes; of a pair rated twice the last counts.

    Memory: some 150 bytes for each rating of these classes.
    """
    bounds, starts = records.lists("segment_starts")
    rated, scores = records.lists("segment_labels")[1], records.lists("segment_scores")[1]
    mine = np.isin(rated, list(classes))
    video = np.repeat(np.arange(len(records)), np.diff(bounds))[mine]
    names = records.table["id"].combine_chunks().take(pa.array(video)).to_pylist()
    keys = zip(names, starts[mine].tolist(), rated[mine].tolist(), strict=True)
    return dict(zip(keys, (scores[mine] > 0).tolist(), strict=True))


def lengths_of(data: Dataset, ids: Iterable[str]) -> dict[str, int]:
    """Return the seconds of some videos; DataError where one is not in the data."""
    wanted = pa.array(sorted(ids), pa.string())
    usable = pc.invert(data.table["skip"])
    mine = data.table.filter(pc.and_(usable, pc.is_in(data.table["id"], value_set=wanted)))
    found = dict(zip(mine["id"].to_pylist(), mine["frames"].to_pylist(), strict=True))
    missing = [name for name in wanted.to_pylist() if name not in found]
    if missing:
        raise DataError(
            f"does not hold {len(missing):,} of the videos that were scored, the first "
            f"{missing[0]!r}",
            where=data.path,
            hint="Give the data that were predicted.",
        )
    return found


def has_ratings(records: Records) -> bool:
    """Return whether anything is rated."""
    return len(lists_of(records.table, "segment_starts")[1]) > 0


def rated_segments(data: Dataset, split: Split, classes: Iterable[int]) -> Ratings:
    """Return the ratings of segments of a split; ConfigError where these classes have none."""
    records = data.select(split)
    ratings = ratings_of(records, classes)
    if not ratings:
        what = " for these classes" if has_ratings(records) else ""
        raise ConfigError(
            f"none of the {len(records):,} videos of the split {split!r} has rated segments{what}",
            where=data.path,
            hint="Leave out --rated, or take a split that was rated (YouTube-8M: validate of "
            "2019), with --split.",
        )
    return ratings
