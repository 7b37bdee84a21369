"""Writes the synthetic corpus: a folder like YouTube-8M's, with the truth.

OUT/train0000.tfrecord ...   validate0000.tfrecord ...   test0000.tfrecord ...
    vocabulary.csv    YouTube-8M's columns; TrainVideoCount counts the written labels
    hierarchy.csv     index, name, parent, and whether picture or sound carry the class
    truth.csv         id, class, start_s, end_s: every appearance, for study, never for training
    synth.json        the arguments; marks the corpus as synthetic
    README.md         the same for people
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import progress_bar
from reeltag.core.errors import ConfigError
from reeltag.core.files import PathLike, whole_folder
from reeltag.data.records.example import Values, encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.synth.about import SynthCounts, describe_corpus
from reeltag.data.synth.config import SplitName, SynthConfig
from reeltag.data.synth.world import SEGMENT_SECONDS, SynthVideo, world_of

VIDEOS_PER_SHARD = 250


@dataclass(frozen=True, kw_only=True)
class _Shard:
    name: str
    split: SplitName
    videos: range


@dataclass(frozen=True, kw_only=True)
class _Written:
    counts: SynthCounts
    label_counts: NDArray[np.int64]  # (C,), of the written labels
    truth: str  # lines of truth.csv


def write_corpus(
    out: PathLike, config: SynthConfig, *, jobs: int | None = 1, quiet: bool = False
) -> SynthCounts:
    """Write the corpus of `config` to the new folder `out`, which appears whole or not at all.

    The bytes depend on `config` alone. A process holds the prototypes, C * D floats, and the
    lines of truth of one shard, however many videos there are.

    Args:
        out: the folder to make.
        config: what to write.
        jobs: processes; None = one per core, never more than there are shards.
        quiet: show no progress.

    Returns:
        Counts of what was written.

    Raises:
        ConfigError: `jobs` is not positive.
        OutputError: `out` exists, or cannot be written.
    """
    out = Path(out)
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs must be at least 1, got {jobs}")
    shards = _shards(config)
    jobs = min(jobs or os.cpu_count() or 1, len(shards))
    world = world_of(config)
    counts = SynthCounts()
    train_counts = np.zeros(config.classes, dtype=np.int64)
    with whole_folder(out) as part, progress_bar() as bar:
        task = bar.add_task("writing videos", total=config.videos, visible=not quiet)
        with (part / "truth.csv").open("w", encoding="utf-8") as truth:
            truth.write("id,class,start_s,end_s\n")
            for shard, written in zip(shards, _write_all(config, shards, part, jobs), strict=True):
                counts.add(written.counts)
                truth.write(written.truth)
                if shard.split == "train":
                    train_counts += written.label_counts
                bar.advance(task, len(shard.videos))
        describe_corpus(part, world, counts, train_counts)
    return counts


def _shards(config: SynthConfig) -> list[_Shard]:
    """Cut the splits into files of about equal length."""
    train = config.counts["train"]
    number = min(config.shards or -(-train // VIDEOS_PER_SHARD), train)
    length = -(-train // number)
    shards = []
    for split, total in config.counts.items():
        files = number if split == "train" else -(-total // length)
        edges = [total * index // files for index in range(files + 1)]
        shards += [
            _Shard(name=f"{split}{index:04d}.tfrecord", split=split, videos=range(first, stop))
            for index, (first, stop) in enumerate(pairwise(edges))
        ]
    return shards


def _write_all(
    config: SynthConfig, shards: list[_Shard], folder: Path, jobs: int
) -> Iterator[_Written]:
    """Write the shards, in `jobs` processes, and yield what was written in their order."""
    if jobs == 1:
        for shard in shards:
            yield _write_shard(config, shard, folder)
        return
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="2*n_jobs")
    yield from parallel(joblib.delayed(_write_shard)(config, shard, folder) for shard in shards)


def _write_shard(config: SynthConfig, shard: _Shard, folder: Path) -> _Written:
    world = world_of(config)
    counts, truth = SynthCounts(), []
    label_counts = np.zeros(config.classes, dtype=np.int64)
    with TFRecordWriter(folder / shard.name) as writer:
        for number in shard.videos:
            video = world.video(shard.split, number)
            writer.write(_encode(video, config))
            counts.add(_count(video, config))
            label_counts[video.labels] += 1
            truth.append(_truth_lines(video))
    return _Written(counts=counts, label_counts=label_counts, truth="".join(truth))


def _encode(video: SynthVideo, config: SynthConfig) -> bytes:
    """Return the record: features in the order that YouTube-8M's have."""
    streams = {"rgb": video.codes[:, : config.rgb], "audio": video.codes[:, config.rgb :]}
    streams = {name: codes for name, codes in streams.items() if codes.shape[1]}
    context: dict[str, Values] = {"id": [video.id.encode()], "labels": video.labels}
    if config.level == "video":
        means: dict[str, Values] = {f"mean_{name}": _mean(of) for name, of in streams.items()}
        return encode_example(context | means)
    if len(video.rated):
        starts, labels, scores = video.rated.T
        context["segment_start_times"] = starts
        context["segment_end_times"] = starts + SEGMENT_SECONDS
        context["segment_labels"] = labels
        context["segment_scores"] = scores.astype(np.float32)
    return encode_sequence_example(context, streams)


def _mean(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (W,) the mean over the frames of the dequantised features."""
    mean = codes.mean(axis=0, dtype=np.float64) * (4 / 255) + (4 / 512 - 2)
    return np.asarray(mean, np.float32)


def _count(video: SynthVideo, config: SynthConfig) -> SynthCounts:
    rated = video.rated if config.level == "frames" else video.rated[:0]
    return SynthCounts(
        videos=1,
        seconds=len(video.codes),
        labels=len(video.labels),
        true_labels=len(video.truth),
        correct_labels=len(np.intersect1d(video.labels, video.truth)),
        rated=len(rated),
        positive=int(rated[:, 2].sum()),
    )


def _truth_lines(video: SynthVideo) -> str:
    """Return one line an appearance: a run of seconds [start, end) in which a class shows."""
    padded = np.pad(video.shown.T.astype(np.int8), ((0, 0), (1, 1)))
    change = np.diff(padded, axis=1)
    columns, starts = np.nonzero(change == 1)
    ends = np.nonzero(change == -1)[1]
    rows = zip(video.truth[columns].tolist(), starts.tolist(), ends.tolist(), strict=True)
    return "".join(f"{video.id},{label},{start},{end}\n" for label, start, end in rows)
