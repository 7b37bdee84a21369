"""Moments like this one, or like a text, whatever the classes: cosine search over all frames.

    frame x of a stream, as the encoder computed it -> x - m, m = the mean frame of the data
    similarity of two frames = cosine of (x - m) and (y - m), the mean over the streams
    moment of W frames       = each frame of it against the mean direction of the frames asked for

Without the mean, frames of one encoder are alike, whatever they show: what is common to all of
them says nothing. Up to a million frames, all are compared, as they are stored: one pass over the
bytes of the data. Above, an index names candidates, and the videos of the best of them are
searched like that: each similarity is exact, but a moment can be missed.

A vector, such as that of a text by the encoder of the data, is compared with frames as they are:
the cosine of x and the vector, all of them, without an index.

Shape letters: N frames of all videos.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, MissingPackageError
from reeltag.core.timing import frames_between
from reeltag.data.dataset import Dataset
from reeltag.library.similarity.candidates import CandidateIndex
from reeltag.library.similarity.compared_frames import ComparedFrames, Direction, Float32

INDEX_FROM = 1_000_000  # frames
_CANDIDATES = 2000  # frames, at first
_COMPARED = 1000  # moments whose median stands for that of all


@dataclass(frozen=True)
class SimilarMoment:
    """Frames of a video that are like those that were asked for.

    Attributes:
        video: id.
        start_s: second at which it begins.
        end_s: second at which it ends.
        best_s: second at which the most similar frame begins.
        similarity: of that frame, in [-1, 1].
    """

    video: str
    start_s: float
    end_s: float
    best_s: float
    similarity: float


@dataclass(frozen=True)
class _Asked:
    """The moment that is asked for: `count` frames of a video, and seconds around it."""

    record: int
    first: int
    count: int
    skip: int
    directions: list[Direction]


class MomentSearch:
    """All frames of a data set, to be searched by one moment after the other.

    Args:
        data: of frames.
        streams: names of the streams that count; empty: all.
        threads: that read frames; None: as many as torch has.
        quiet: show no progress.
        exact: compare all frames, however many there are.
        index_from: frames from which on an index is used, if faiss is installed.
        is_centred: take the mean frame off; False: for `search_vector`, which needs no index.

    Attributes:
        is_indexed: whether an index names candidates.

    Raises:
        DataError: the data hold one vector per video, or a shard cannot be read.
        ConfigError: there is no such stream.
        OutputError: norms or the index cannot be written.
    """

    def __init__(
        self,
        data: Dataset,
        streams: Sequence[str] = (),
        *,
        threads: int | None = None,
        quiet: bool = False,
        exact: bool = False,
        index_from: int = INDEX_FROM,
        is_centred: bool = True,
    ) -> None:
        if data.kind == "video":
            raise DataError(
                "holds one vector per video, in which there are no moments",
                where=data.location,
                hint="Give frame-level records.",
            )
        threads = threads or torch.get_num_threads()
        self._rate = data.features.rate_hz
        self._frames = ComparedFrames(
            data, streams, threads=threads, quiet=quiet, is_centred=is_centred
        )
        self._ids = self._frames.records.table["id"]
        self._numbers: dict[str, int] = {}
        for number, video in enumerate(self._ids.to_pylist()):
            self._numbers.setdefault(video, number)
        self._index = None
        if is_centred and not exact and len(self) >= index_from:
            try:
                self._index = CandidateIndex(self._frames)
            except MissingPackageError as error:
                say(f"All {len(self):,} frames are compared: an index {error.what}. {error.hint}")

    def __len__(self) -> int:
        """Return N."""
        return len(self._frames)

    @property
    def is_indexed(self) -> bool:
        """Whether an index names candidates."""
        return self._index is not None

    def search(
        self, video: str, at_s: float, *, window_s: float = 1.0, top: int = 20, skip_s: float = 10.0
    ) -> list[SimilarMoment]:
        """Return the moments that are most like one of a video, best first.

        A moment goes on while its frames are nearer to its best one than to the median of all
        frames. No two overlap.

        Args:
            video: id.
            at_s: second at which the moment begins.
            window_s: seconds of it.
            top: moments to return at most.
            skip_s: seconds before and after the moment, in its own video, that are left out.

        Raises:
            ConfigError: there is no such video or second, or the video has no stream there.
        """
        record, first, count = self._place(video, at_s, window_s)
        directions = self._frames.directions(record, first, count)
        if not directions:
            names = " and ".join(stream.name for stream in self._frames.streams)
            raise ConfigError(f"video {video!r} has no {names} at {at_s:g} s")
        asked = _Asked(record, first, count, round(skip_s * self._rate), directions)
        number = _CANDIDATES
        while self._index is not None and 4 * number <= max(len(self), 4 * _CANDIDATES):
            found = self._of_candidates(self._index, asked, top, number)
            if len(found) >= top:
                return found
            number *= 4
        return self._of_all(asked, top)

    def search_vector(self, values_D: Float32, *, top: int = 20) -> list[SimilarMoment]:
        """Return the moments whose frames have the highest cosine with a vector, best first.

        Args:
            values_D: in the space of the stream, which is the only one that is searched.
            top: moments to return at most.
        """
        direction = self._frames.direction(0, values_D / np.linalg.norm(values_D))
        return self._of_all(_Asked(-1, 0, 1, 0, [direction]), top)

    def _place(self, video: str, at_s: float, window_s: float) -> tuple[int, int, int]:
        """Return the number of the video, and its frames that are asked for."""
        record = self._numbers.get(video)
        if record is None:
            shown = ", ".join([*self._numbers][:3])
            raise ConfigError(f"there is no video {video!r}; there are {shown}, ...")
        frames = int(self._frames.length[record])
        if not 0 <= at_s < frames / self._rate:
            raise ConfigError(
                f"video {video!r} is of [0, {frames / self._rate:g}) s, got {at_s:g}",
                where="--at",
            )
        if not window_s > 0:
            raise ConfigError(f"must be above 0, got {window_s:g}", where="--window")
        first, count = frames_between(at_s, at_s + window_s, frames, self._rate)
        return record, int(first), int(count)

    def _of_all(self, asked: _Asked, top: int) -> list[SimilarMoment]:
        """Return the best moments of all frames."""
        cosines_N, firsts = self._frames.all_cosines(asked.directions), self._frames.first
        scores = {
            record: self._scores(asked, record, cosines_N[firsts[record] : firsts[record + 1]])
            for record in range(len(firsts) - 1)
        }
        best = {record: float(of.max()) for record, of in scores.items() if len(of)}
        median = _median(np.concatenate([*scores.values()])) if scores else 0.0
        return self._best(best, scores.__getitem__, median, asked.count, top)

    def _of_candidates(
        self, index: CandidateIndex, asked: _Asked, top: int, number: int
    ) -> list[SimilarMoment]:
        """Return the best moments of videos with candidates, of which there are `number`."""
        frames, count, best = self._frames, asked.count, dict[int, float]()
        rows = index.rows(asked.directions, number)
        places, numbers = rows - frames.first[frames.record_of(rows)], frames.record_of(rows)
        apart = (np.diff(numbers) != 0) | (np.diff(places) > 2 * count)
        for part in np.split(np.arange(len(rows)), np.flatnonzero(apart) + 1):
            if not len(part):
                continue
            record = int(numbers[part[0]])
            start = max(0, int(places[part[0]]) - count + 1)
            stop = min(int(places[part[-1]]) + count, int(frames.length[record]))
            found = self._scores(
                asked, record, frames.cosines(asked.directions, record, start, stop), start
            )
            best[record] = max(best.get(record, -np.inf), float(found.max(initial=-np.inf)))

        def scores(record: int) -> Float32:
            cosines = frames.cosines(asked.directions, record, 0, int(frames.length[record]))
            return self._scores(asked, record, cosines)

        return self._best(best, scores, self._sampled_median(asked), count, top)

    def _sampled_median(self, asked: _Asked) -> float:
        """Return the median similarity of some moments that are evenly spread."""
        frames, found = self._frames, list[Float32]()
        rows = np.linspace(0, len(self) - 1, min(_COMPARED, len(self))).astype(np.int64)
        for row, record in zip(rows.tolist(), frames.record_of(rows).tolist(), strict=True):
            start = row - int(frames.first[record])
            stop = start + asked.count
            if stop <= frames.length[record]:
                cosines = frames.cosines(asked.directions, record, start, stop)
                found.append(cosines.mean(keepdims=True))
        return _median(np.concatenate(found)) if found else 0.0

    def _scores(self, asked: _Asked, record: int, cosines: Float32, start: int = 0) -> Float32:
        """Return the similarity of the moment from each frame of a video on.

        It is -inf where the video ends before, and around the moment that is asked for.

        Args:
            asked: the moment.
            record: number of the video.
            cosines: of its frames from `start` on.
            start: frame.
        """
        count = asked.count
        if count == 1 and record != asked.record:
            return cosines
        scores = np.full(len(cosines), -np.inf, np.float32)
        if len(cosines) >= count:
            windows = np.lib.stride_tricks.sliding_window_view(cosines, count)
            scores[: len(windows)] = windows.mean(1) if count > 1 else cosines
        if record == asked.record:
            begin = asked.first - asked.skip - count + 1 - start
            end = asked.first + count + asked.skip - start
            scores[max(0, begin) : max(0, end)] = -np.inf
        return scores

    def _best(
        self,
        best: dict[int, float],
        scores_of: Callable[[int], Float32],
        median: float,
        count: int,
        top: int,
    ) -> list[SimilarMoment]:
        """Return the best moments that do not overlap.

        Args:
            best: similarity of each video's best moment that is known.
            scores_of: returns those of all moments of a video.
            median: of all.
            count: frames of a moment.
            top: moments at most.
        """
        found, left = list[SimilarMoment](), dict[int, Float32]()
        heap = [(-score, record) for record, score in best.items() if np.isfinite(score)]
        heapq.heapify(heap)
        while heap and len(found) < top:
            record = heapq.heappop(heap)[1]
            if record not in left:
                left[record] = scores_of(record).copy()
            else:
                found.append(self._taken(record, left[record], median, count))
            highest = float(left[record].max())
            if np.isfinite(highest):
                heapq.heappush(heap, (-highest, record))
        return found

    def _taken(self, record: int, left: Float32, median: float, count: int) -> SimilarMoment:
        """Return the best moment of a video, and take it out of what is left."""
        frame = int(left.argmax())
        best = float(left[frame])
        below: NDArray[np.int64] = np.flatnonzero(~(left >= (best + median) / 2))
        first = int(below[below < frame].max(initial=-1)) + 1
        last = int(below[below > frame].min(initial=len(left))) - 1
        left[max(0, first - count) : last + count + 1] = -np.inf
        return SimilarMoment(
            self._ids[record].as_py(),
            first / self._rate,
            min(last + count, len(left)) / self._rate,
            frame / self._rate,
            best,
        )


def _median(scores: Float32) -> float:
    """Return the median of those that are finite; 0 where none is."""
    finite = scores[np.isfinite(scores)]
    return float(np.median(finite)) if len(finite) else 0.0
