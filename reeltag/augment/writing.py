"""Writing one chunk: read the vectors of its over-sampled videos, find neighbours, write shards.

A shard has the name of the one that it replaces and holds, in the order of that one, each video
that is kept (its record byte for byte) and behind it its new samples: for each neighbour a sample
between and one beyond, then those with noise. New records are tf.Examples as YouTube-8M's: id,
labels (those of the source) and one float vector a stream.

Memory: 4 bytes a value for the over-sampled videos of the chunk (1.5 GB for 256 shards of
YouTube-8M if all are), and once more for those of the largest label.

Shape letters: N over-sampled videos of the chunk, D values of all streams, K neighbours.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from reeltag.augment.neighbours import (
    Pairs,
    Vectors,
    extrapolated,
    interpolated,
    noisy,
    pairs_by_label,
)
from reeltag.core.bounds import CheckedFields, Positive, Rate
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.loading.reading import FrameReader, OpenShards
from reeltag.data.origin import extrapolated_id, interpolated_id, noisy_id
from reeltag.data.records.example import Values, encode_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.sampling import ChosenFrames
from reeltag.data.selection import column_of
from reeltag.data.splits import Split, Splits


@dataclass(frozen=True, kw_only=True)
class SampleConfig(CheckedFields):
    """How new samples around an over-sampled video are computed."""

    KEY_NAME: ClassVar[str] = "Making"  # folders of steps have their names from this

    method: Literal["neighbours", "noise"] = "neighbours"
    """neighbours: two samples for each neighbour, one between and one beyond. noise: as many
    samples as there would be neighbours, each with Gaussian noise."""
    noise: Literal["alone", "always", "never"] = "alone"
    """When the method neighbours adds noise too, one sample for each neighbour wanted: alone, for
    a video without another of its label in its chunk; always; never."""
    weight: Annotated[float, tyro.conf.arg(name="lambda")] = 0.5
    """How far a sample is from its source, as a fraction of the way to the neighbour; in (0, 1)."""
    sigma: Rate = 0.03
    """Standard deviation of the noise, in units of the features; above 0."""
    by: str = ""
    """Stream in which neighbours are near; empty: the first, mean_rgb in YouTube-8M."""
    chunk_shards: Positive = 256
    """Neighbours are looked for within so many shards; memory grows with it."""

    def check(self) -> None:
        """Raise ConfigError where `weight`, the flag --lambda, is out of range."""
        if not 0 < self.weight < 1:
            raise ConfigError(f"must be above 0 and below 1, got {self.weight}", where="lambda")

    def noised(self, alone: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which over-sampled videos get samples with noise, given which are alone."""
        if self.method == "noise" or self.noise == "always":
            return np.ones_like(alone)
        return alone if self.noise == "alone" else np.zeros_like(alone)

    def columns(self, items: VideoSet) -> slice:
        """Return where the stream `by` is along D; ConfigError where it is not in the data."""
        names = [stream.name for stream in items.streams]
        if self.by and self.by not in names:
            raise ConfigError(
                f"the data has no stream {self.by!r}; it has {', '.join(names)}", where="by"
            )
        place = names.index(self.by) if self.by else 0
        start = sum(stream.width for stream in items.streams[:place])
        return slice(start, start + items.streams[place].width)


@dataclass(frozen=True, kw_only=True)
class ChunkWork:
    """What a process needs to write one chunk; small, whatever the size of the data.

    Attributes:
        data: folder (or shard) that is augmented.
        classes: class list that was given or found; None where there is none.
        out: folder that the new shards go to.
        split: that is augmented.
        splits: the rule that gives a shard its split.
        shards: numbers of the chunk's shards.
        decision: decision label of each of its videos, see `Plan`.
        neighbours: how many neighbours each wants, see `Plan`.
        kept: whether each stays, see `Plan`.
        sampling: how samples are computed.
        seed: of the noise.
    """

    data: Path
    classes: ClassList | None
    out: Path
    split: Split
    splits: Splits
    shards: tuple[int, ...]
    decision: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    kept: NDArray[np.bool_]
    sampling: SampleConfig
    seed: int


def write_chunk(work: ChunkWork) -> None:
    """Write the shards of a chunk that are not there yet, each whole or not at all.

    The bytes depend on the data, the plan, `sampling` and `seed` alone.

    Args:
        work: what, and where to.

    Raises:
        DataError: a shard vanished, shrank or cannot be read.
        OutputError: a shard cannot be written.
    """
    data = Dataset.open(work.data, classes=work.classes, splits=work.splits, jobs=1, quiet=True)
    todo = [shard for shard in work.shards if not (work.out / data.shards[shard]).exists()]
    if not todo:
        return
    rows = np.isin(column_of(data.table, "shard"), work.shards)
    items = data.videos(work.split, rows=rows)
    chunk = _Chunk(items, work)
    with FrameReader(items) as reader:
        chunk.find(reader)
    for shard in todo:
        chunk.write(data, shard)


class _Chunk:
    """The videos of a chunk, and the samples around them."""

    def __init__(self, items: VideoSet, work: ChunkWork) -> None:
        self.items, self.work = items, work
        self.over = np.flatnonzero(work.neighbours > 0)
        self.place = np.full(len(items), -1)  # of a video among those over-sampled
        self.place[self.over] = np.arange(len(self.over))
        self.vectors = np.empty((0, 0), np.float32)
        self.pairs = Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        label = work.decision[self.over]
        self.alone = np.bincount(label, minlength=1)[label] == 1
        self.noised = work.sampling.noised(self.alone)
        self.ids = items.ids(np.arange(len(items)))
        self.bounds, labels = items.records.lists("labels")
        self.labels = labels.astype(np.int64)

    def find(self, reader: FrameReader) -> None:
        """Read the vectors of the over-sampled videos, and pair those that are neighbours."""
        self.vectors = read_vectors(reader, self.items, self.over)
        if self.work.sampling.method == "neighbours":
            near = self.vectors[:, self.work.sampling.columns(self.items)]
            label, wanted = self.work.decision[self.over], self.work.neighbours[self.over]
            self.pairs = pairs_by_label(near, label, wanted)

    def write(self, data: Dataset, shard: int) -> None:
        """Write the new shard that replaces one."""
        first, stop = np.searchsorted(self.items.shard, [shard, shard + 1]).tolist()
        rng = np.random.default_rng(derive_seed(self.work.seed, "noise", data.shards[shard]))
        offset, size = self.items.offset, self.items.records.column("size")
        shards = OpenShards(data.index)
        try:
            with TFRecordWriter(self.work.out / data.shards[shard]) as writer:
                for video in range(first, stop):
                    if self.work.kept[video]:
                        record = memoryview(bytearray(int(size[video])))
                        shards.read(shard, record, int(offset[video]))
                        writer.write(bytes(record))
                    if self.place[video] >= 0:
                        for sample in self._samples_of(video, rng):
                            writer.write(sample)
        finally:
            shards.close()

    def _samples_of(self, video: int, rng: np.random.Generator) -> Iterator[bytes]:
        """Yield the records of the samples around a video."""
        sampling, name, place = self.work.sampling, self.ids[video], int(self.place[video])
        vector = self.vectors[place]
        labels = self.labels[self.bounds[video] : self.bounds[video + 1]]
        start, stop = np.searchsorted(self.pairs.source, [place, place + 1]).tolist()
        partners = self.pairs.partner[start:stop]
        near = self.vectors[partners]
        between = interpolated(vector, near, sampling.weight)
        beyond = extrapolated(vector, near, sampling.weight)
        for number, partner in enumerate(self.over[partners].tolist()):
            other = self.ids[partner]
            yield self._record(interpolated_id(name, other), labels, between[number])
            yield self._record(extrapolated_id(name, other), labels, beyond[number])
        if self.noised[place]:
            wanted = int(self.work.neighbours[video])
            for number, drawn in enumerate(noisy(vector, wanted, sampling.sigma, rng), start=1):
                yield self._record(noisy_id(name, number), labels, drawn)

    def _record(self, name: str, labels: NDArray[np.int64], vector: Vectors) -> bytes:
        """Return a tf.Example, its features in the order that YouTube-8M's have."""
        features: dict[str, Values] = {"id": [name.encode()], "labels": labels}
        start = 0
        for stream in self.items.streams:
            features[stream.name] = vector[start : start + stream.width]
            start += stream.width
        return encode_example(features)


def read_vectors(reader: FrameReader, items: VideoSet, wanted: NDArray[np.int64]) -> Vectors:
    """Return the vectors (N, D) of some items of a video-level data set, all streams in one row.

    Args:
        reader: of the items.
        items: the videos.
        wanted: (N,) numbers of items.

    Raises:
        DataError: a shard vanished, shrank or cannot be read.
    """
    one = np.ones(len(wanted), np.int64)
    chosen = ChosenFrames(
        count=one, first=np.zeros_like(one), span=one, step=1, listed=None, num_steps=1
    )
    width = sum(stream.width for stream in items.streams)
    vectors = np.empty((len(wanted), 1, width), np.float32)
    if len(wanted):
        reader.read(wanted, chosen, vectors)
    return vectors[:, 0]


def settings_of(sampling: SampleConfig) -> dict[str, object]:
    """Return what new samples depend on, by the names of the flags."""
    found = asdict(sampling)
    return {"lambda" if name == "weight" else name: value for name, value in found.items()}
