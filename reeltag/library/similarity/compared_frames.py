"""Frames of a data set as they are stored, compared by cosine: norms, directions, cosines.

    frame x of a stream -> x - m, m = the mean frame of the data, or 0 where texts are compared
    with codes c = (x - offset) / scale and a direction q of unit norm:
    cosine = (c . (scale q) + (offset - m) . q) / |x - m|

Of a frame only its norm is kept, next to the index of the data.

Shape letters: N frames of all videos, D values of a stream, R some rows of the N.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.files import whole_file
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.quantise import present_frames
from reeltag.data.indexing.locations import index_places, writable_place
from reeltag.data.loading.stored_frames import StoredFrames

Float32 = NDArray[np.float32]
_ROWS = 256  # frames at a time: as float32 they stay in the cache
_READ_ROWS = 4 * _ROWS
_VERSION = 1  # of the kept norms


class Direction(NamedTuple):
    """What frames of a stream are compared with.

    Attributes:
        stream: its number.
        values: (D,) of unit norm.
        weights: (D,) of stored values.
        constant: that is added to the product.
    """

    stream: int
    values: Float32
    weights: Float32
    constant: np.float32


class ComparedFrames:
    """All frames of a data set, from which the mean of each stream is taken off, or as they are.

    Args:
        data: of frames.
        streams: names of the streams; empty: all.
        threads: that read frames.
        quiet: show no progress.
        is_centred: whether the mean frame is taken off.

    Attributes:
        data: as given.
        records: the videos.
        streams: what is known of each stream.
        length: (videos,) frames of each.
        first: (videos + 1,) row of the first frame of each, and N.
        threads: as given.
        quiet: as given.

    Raises:
        DataError: a shard cannot be read.
        ConfigError: there is no such stream.
    """

    def __init__(
        self,
        data: Dataset,
        streams: Sequence[str],
        *,
        threads: int,
        quiet: bool,
        is_centred: bool = True,
    ) -> None:
        self.data, self.threads, self.quiet = data, threads, quiet
        self._is_centred = is_centred
        self.records = data.select("all", streams=tuple(streams) or None)
        self.stored = StoredFrames(self.records)
        names = [stream.name for stream in self.records.streams]
        self.streams = data.features.of(names).streams
        self.length = self.records.column("frames").astype(np.int64)
        self.first = np.concatenate([[0], np.cumsum(self.length)])
        self._known = [self._statistics(at) for at in range(len(self.streams))]

    def __len__(self) -> int:
        """Return N."""
        return int(self.first[-1])

    def record_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers (R,) of the videos that have these rows."""
        return np.searchsorted(self.first, rows, "right") - 1

    def directions(self, record: int, first: int, count: int) -> list[Direction]:
        """Return the mean direction of frames of a video, for each stream that is there."""
        found = []
        rows = int(self.first[record]) + first + np.arange(count)
        for at in range(len(self.streams)):
            direction: Float32 = self._units(at, record, rows).mean(0)
            norm = float(np.linalg.norm(direction))
            if norm > 0:
                found.append(self.direction(at, direction / np.float32(norm)))
        return found

    def direction(self, at: int, values_D: Float32) -> Direction:
        """Return a vector of unit norm as frames of a stream are compared with it.

        Args:
            at: number of the stream.
            values_D: of unit norm.
        """
        scale_D, offset_D = _codes(self.streams[at])
        constant = (offset_D - self._known[at][0]).astype(np.float64) @ values_D
        return Direction(at, values_D, scale_D * values_D, np.float32(constant))

    def units(self, rows: NDArray[np.int64]) -> Float32:
        """Return frames (R, D of all streams) of unit norm per stream; zeros for missing ones.

        Args:
            rows: (R,) in rising order.
        """
        numbers = self.record_of(rows)
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        units = np.empty((len(rows), sum(of.width for of in self.streams)), np.float32)
        for start, end in pairwise(cuts):
            column = 0
            for at, stream in enumerate(self.streams):
                part = self._units(at, int(numbers[start]), rows[start:end])
                units[start:end, column : column + stream.width] = part
                column += stream.width
        return units

    def _units(self, at: int, record: int, rows: NDArray[np.int64]) -> Float32:
        mean_D, norm_N = self._known[at]
        places = rows - self.first[record]
        begin = int(places[0])
        stored = self.stored.of(record, at, begin, int(places[-1]) + 1)[places - begin]
        units: Float32 = (self.streams[at].dequantise(stored) - mean_D) / norm_N[rows, None]
        return units

    def cosines(self, directions: list[Direction], record: int, start: int, stop: int) -> Float32:
        """Return the mean cosine over streams of frames [start, stop) of a video.

        Frames that miss one of the streams have -inf.
        """
        total = np.zeros(stop - start, np.float32)
        rows = slice(int(self.first[record]) + start, int(self.first[record]) + stop)
        for at, _, weights_D, constant in directions:
            norm, found = self._known[at][1][rows], np.empty(stop - start, np.float32)
            stored = self.stored.of(record, at, start, stop)
            for block in range(0, len(stored), _ROWS):
                part = stored[block : block + _ROWS].astype(np.float32)
                np.dot(part, weights_D, out=found[block : block + _ROWS])
            found = (found + constant) / norm
            found[np.isinf(norm)] = -np.inf
            total += found / len(directions)
        return total

    def all_cosines(self, directions: list[Direction]) -> Float32:
        """Return `cosines` of all frames (N,); threads share the work."""
        total_N = np.zeros(len(self), np.float32)
        for direction in directions:
            total_N += self._all_cosines(direction) / len(directions)
        return total_N

    def _all_cosines(self, direction: Direction) -> Float32:
        at, _, weights_D, constant = direction
        norm_N, cosines_N = self._known[at][1], np.empty(len(self), np.float32)

        def work(part: range) -> None:
            values = np.empty((_ROWS, self.streams[at].width), np.float32)
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
        ends = np.linspace(0, len(self), self.threads + 1)[1:]
        places = np.unique(np.searchsorted(self.first, ends))
        return [
            range(a, b) for a, b in zip([0, *places[:-1].tolist()], places.tolist(), strict=True)
        ]

    def _blocks(self, at: int, part: Iterable[int]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield the stored frames of some videos, a few at a time, with their rows."""
        for record in part:
            row = int(self.first[record])
            for read in self.stored.blocks(record, at, _READ_ROWS):
                for start in range(0, len(read), _ROWS):
                    block = read[start : start + _ROWS]
                    yield slice(row, row + len(block)), block
                    row += len(block)

    def _every(self, what: str) -> Iterable[int]:
        """Return the numbers of all videos; the progress is shown."""
        numbers = range(len(self.records))
        return numbers if self.quiet else track(numbers, what)

    def _statistics(self, at: int) -> tuple[Float32, Float32]:
        """Return the mean (D,) of a stream and (N,) norms without it, read where they are kept."""
        stream = self.streams[at]
        kind = "similar" if self._is_centred else "norms"
        name = f"{kind}-{stream.name.replace('/', '_')}.npz"
        key = self._fingerprint(stream)
        for place in index_places(self.data.path):
            found = _read_statistics(place / name, key)
            if found is not None:
                return found
        mean_D, norm_N = self._computed(at)
        with whole_file(writable_place(self.data.path) / name) as part, part.open("wb") as file:
            np.savez(file, key=np.array(key), mean=mean_D, norm=norm_N)
        return mean_D, norm_N

    def fingerprint(self) -> str:
        """Return by what it is noticed that frames or streams are others than before."""
        parts = "".join(self._fingerprint(stream) for stream in self.streams)
        return hashlib.sha256(parts.encode()).hexdigest()

    def _fingerprint(self, stream: StreamFeatures) -> str:
        of = self.data.index
        state = json.dumps([_VERSION, [*map(list, of.stamps)], asdict(stream)]).encode()
        return hashlib.sha256(state + self.length.tobytes()).hexdigest()

    def _computed(self, at: int) -> tuple[Float32, Float32]:
        """Return mean and norms, by two passes over a stream."""
        stream = self.streams[at]
        scale_D, offset_D = _codes(stream)
        total_D, there = np.zeros(stream.width), 0
        is_there_N = np.empty(len(self), bool)
        for rows, stored in self._blocks(at, self._every(f"mean of {stream.name}")):
            is_there_N[rows] = present_frames(stored, stream)
            there += int(is_there_N[rows].sum())
            total_D += stored[is_there_N[rows]].sum(0, dtype=np.float64)
        mean_D = (total_D / max(1, there) * scale_D + offset_D).astype(np.float32)
        if not self._is_centred:
            mean_D[:] = 0
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
