"""Moments like this one, whatever the classes: exact cosine search over all frames of a data set.

    frame x of a stream, as the encoder computed it -> x - m, m = the mean frame of the data
    similarity of two frames = cosine of (x - m) and (y - m), the mean over the streams
    moment of W frames       = each frame of it against the mean direction of the frames asked for

Without the mean, frames of one encoder are alike, whatever they show: what is common to all of
them says nothing. Frames are read as they are stored: with codes c = (x - offset) / scale a cosine
is (c . (scale q) + (offset - m) . q) / |x - m|, so that of a frame only its norm is kept, in the
folder of the index. That is one pass over the bytes of the data, as fast as memory: an index that
searches fewer of them would be another size of the data on disk, and not exact.

Shape letters: N frames of all videos, D values of a stream, S streams.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import whole_file
from reeltag.core.timing import frames_between
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.quantise import encode
from reeltag.data.indexing.locations import index_places, writable_place
from reeltag.data.loading.stored_frames import StoredFrames

Float32 = NDArray[np.float32]
_ROWS = 256  # frames at a time: as float32 they stay in the cache
_VERSION = 1  # of the kept norms


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


class MomentSearch:
    """All frames of a data set, to be searched by one moment after the other.

    Args:
        data: of frames.
        streams: names of the streams that count; empty: all.
        threads: that read frames; None: as many as torch has.
        quiet: show no progress.

    Raises:
        DataError: the data hold one vector per video, or a shard cannot be read.
        ConfigError: there is no such stream.
    """

    def __init__(
        self,
        data: Dataset,
        streams: Sequence[str] = (),
        *,
        threads: int | None = None,
        quiet: bool = False,
    ) -> None:
        if data.kind == "video":
            raise DataError(
                "holds one vector per video, in which there are no moments",
                where=data.path,
                hint="Give frame-level records.",
            )
        self._data, self._quiet = data, quiet
        self._threads = threads or torch.get_num_threads()
        self._records = data.select("all", streams=tuple(streams) or None)
        self._frames = StoredFrames(self._records)
        names = [stream.name for stream in self._records.streams]
        self._streams = data.features.of(names).streams
        self._length = self._records.column("frames").astype(np.int64)
        self._first = np.concatenate([[0], np.cumsum(self._length)])
        self._numbers: dict[str, int] = {}
        for number, video in enumerate(self._records.table["id"].to_pylist()):
            self._numbers.setdefault(video, number)
        self._known = [self._statistics(at) for at in range(len(self._streams))]

    def __len__(self) -> int:
        """Return N."""
        return int(self._first[-1])

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
        record, first, count = self._asked(video, at_s, window_s)
        directions = [self._direction(at, record, first, count) for at in range(len(self._streams))]
        used = [at for at, direction in enumerate(directions) if direction.any()]
        if not used:
            names = " and ".join(stream.name for stream in self._streams)
            raise ConfigError(f"video {video!r} has no {names} at {at_s:g} s")
        scores_N = np.zeros(len(self), np.float32)
        for at in used:
            scores_N += self._cosines(at, directions[at]) / len(used)
        scores_N = self._of_windows(scores_N, count)
        rate, start = self._data.features.rate_hz, int(self._first[record])
        skip = round(skip_s * rate)
        own = slice(
            max(start, start + first - skip - count + 1),
            min(start + first + count + skip, int(self._first[record + 1])),
        )
        scores_N[own] = -np.inf
        return self._best(scores_N, count, top)

    def _asked(self, video: str, at_s: float, window_s: float) -> tuple[int, int, int]:
        """Return the number of the video, and its frames that are asked for."""
        record = self._numbers.get(video)
        if record is None:
            shown = ", ".join([*self._numbers][:3])
            raise ConfigError(f"there is no video {video!r}; there are {shown}, ...")
        length = self._length[record] / self._data.features.rate_hz
        if not 0 <= at_s < length:
            raise ConfigError(
                f"video {video!r} is of [0, {length:g}) s, got {at_s:g}", where="--at"
            )
        if not window_s > 0:
            raise ConfigError(f"must be above 0, got {window_s:g}", where="--window")
        ends = at_s, at_s + window_s, int(self._length[record])
        first, count = frames_between(*ends, self._data.features.rate_hz)
        return record, int(first), int(count)

    def _direction(self, at: int, record: int, first: int, count: int) -> Float32:
        """Return (D,) of unit norm, the mean direction of frames; zeros where none is there."""
        stream, (mean_D, norm_N) = self._streams[at], self._known[at]
        stored = self._frames.of(record, at)[first : first + count]
        rows = int(self._first[record]) + first + np.arange(count)
        frames = (stream.dequantise(stored) - mean_D) / norm_N[rows, None]
        direction: Float32 = frames.mean(0)
        norm = float(np.linalg.norm(direction))
        return direction / np.float32(norm) if norm > 0 else direction

    def _cosines(self, at: int, direction_D: Float32) -> Float32:
        """Return (N,) cosines of all frames of a stream with a direction; -inf for missing ones."""
        scale_D, offset_D = _codes(self._streams[at])
        mean_D, norm_N = self._known[at]
        weights_D = scale_D * direction_D
        constant = np.float32((offset_D - mean_D).astype(np.float64) @ direction_D)
        cosines_N = np.empty(len(self), np.float32)

        def work(part: range) -> None:
            values = np.empty((_ROWS, self._streams[at].width), np.float32)
            for rows, stored in self._blocks(at, part):
                number = len(stored)
                np.copyto(values[:number], stored, casting="unsafe")
                np.dot(values[:number], weights_D, out=cosines_N[rows])

        parts = self._parts()
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(work, parts))
        cosines_N += constant
        cosines_N /= norm_N
        cosines_N[np.isinf(norm_N)] = -np.inf
        return cosines_N

    def _parts(self) -> list[range]:
        """Return the numbers of the videos, cut into parts of about as many frames each."""
        ends = np.linspace(0, len(self), self._threads + 1)[1:]
        places = np.unique(np.searchsorted(self._first, ends))
        return [
            range(a, b) for a, b in zip([0, *places[:-1].tolist()], places.tolist(), strict=True)
        ]

    def _blocks(self, at: int, part: Iterable[int]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield the stored frames of some videos, a few at a time, with their rows."""
        for record in part:
            stored, row = self._frames.of(record, at), int(self._first[record])
            for start in range(0, len(stored), _ROWS):
                block = stored[start : start + _ROWS]
                yield slice(row + start, row + start + len(block)), block

    def _every(self, what: str) -> Iterable[int]:
        """Return the numbers of all videos; the progress is shown."""
        numbers = range(len(self._records))
        return numbers if self._quiet else track(numbers, what)

    def _of_windows(self, scores_N: Float32, count: int) -> Float32:
        """Return (N,) the mean of `count` frames from each on; -inf where a video ends before."""
        if count == 1:
            return scores_N
        means_N = np.full(len(scores_N), -np.inf, np.float32)
        for start, end in zip(self._first[:-1].tolist(), self._first[1:].tolist(), strict=True):
            if end - start >= count:
                windows = np.lib.stride_tricks.sliding_window_view(scores_N[start:end], count)
                means_N[start : end - count + 1] = windows.mean(1)
        return means_N

    def _best(self, scores_N: Float32, count: int, top: int) -> list[SimilarMoment]:
        """Return the best moments that do not overlap."""
        rate, found = self._data.features.rate_hz, list[SimilarMoment]()
        finite = scores_N[np.isfinite(scores_N)]
        if not len(finite):
            return []
        median, left_N = float(np.median(finite)), scores_N.copy()
        while len(found) < top:
            row = int(left_N.argmax())
            best = float(left_N[row])
            if not np.isfinite(best):
                break
            record = int(np.searchsorted(self._first, row, "right")) - 1
            start, end = int(self._first[record]), int(self._first[record + 1])
            below = np.flatnonzero(~(left_N[start:end] >= (best + median) / 2)) + start
            first = int(below[below < row].max(initial=start - 1)) + 1
            last = int(below[below > row].min(initial=end)) - 1
            left_N[max(start, first - count) : min(end, last + count + 1)] = -np.inf
            found.append(
                SimilarMoment(
                    self._records.table["id"][record].as_py(),
                    (first - start) / rate,
                    min(last + count, end) / rate - start / rate,
                    (row - start) / rate,
                    best,
                )
            )
        return found

    def _statistics(self, at: int) -> tuple[Float32, Float32]:
        """Return the mean (D,) of a stream and (N,) norms without it, read where they are kept."""
        stream = self._streams[at]
        name = f"similar-{stream.name.replace('/', '_')}.npz"
        key = self._fingerprint(stream)
        for place in index_places(self._data.path):
            found = _read_statistics(place / name, key)
            if found is not None:
                return found
        mean_D, norm_N = self._computed(at)
        with whole_file(writable_place(self._data.path) / name) as part, part.open("wb") as file:
            np.savez(file, key=np.array(key), mean=mean_D, norm=norm_N)
        return mean_D, norm_N

    def _fingerprint(self, stream: StreamFeatures) -> str:
        """Return by what it is noticed that the frames of a stream are others than before."""
        of = self._data.index
        state = json.dumps([_VERSION, [*map(list, of.stamps)], asdict(stream)]).encode()
        return hashlib.sha256(state + self._length.tobytes()).hexdigest()

    def _computed(self, at: int) -> tuple[Float32, Float32]:
        """Return mean and norms, by two passes over a stream."""
        stream = self._streams[at]
        scale_D, offset_D = _codes(stream)
        total_D, there = np.zeros(stream.width), 0
        missing = encode(np.zeros((1, stream.width), np.float32), stream).stored
        is_there_N = np.empty(len(self), bool)
        for rows, stored in self._blocks(at, self._every(f"mean of {stream.name}")):
            as_bytes = np.ascontiguousarray(stored).view(np.uint8)
            is_there_N[rows] = (as_bytes != missing).any(1)
            there += int(is_there_N[rows].sum())
            total_D += stored[is_there_N[rows]].sum(0, dtype=np.float64)
        mean_D = (total_D / max(1, there) * scale_D + offset_D).astype(np.float32)
        norm_N = np.empty(len(self), np.float32)
        for rows, stored in self._blocks(at, self._every(f"norms of {stream.name}")):
            frames = stored.astype(np.float32) * scale_D + (offset_D - mean_D)
            norm_N[rows] = np.sqrt(np.einsum("nd,nd->n", frames, frames))
        norm_N[~is_there_N | (norm_N == 0)] = np.inf
        return mean_D, norm_N


def _codes(stream: StreamFeatures) -> tuple[Float32, Float32]:
    """Return (D,) scale and (D,) offset of stored values; 1 and 0 where they are floats."""
    if stream.scale is None or stream.offset is None:
        return np.ones(stream.width, np.float32), np.zeros(stream.width, np.float32)
    return np.array(stream.scale, np.float32), np.array(stream.offset, np.float32)


def _read_statistics(path: Path, key: str) -> tuple[Float32, Float32] | None:
    """Return mean and norms of a file; None where there is none, or it is of other data."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return kept["mean"], kept["norm"]
    except (OSError, ValueError, KeyError, EOFError):
        pass
    return None
