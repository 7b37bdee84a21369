"""Data folders that steps write: one vector per video, and neighbours of videos with rare labels.

    means = step(average_frames, data, splits=splits, which=("train", "validate", "test"))
    more = step(augment, means / DATA, splits=splits, plan=..., making=..., seed=0)
    model = step(train, more / DATA, name="moe", ...)

Both go on where a killed call stopped.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.augment.output import prepare_folder, settings, works_of, write_all
from reeltag.augment.plan import PlanConfig, plan_of
from reeltag.augment.volume import chunks_of
from reeltag.augment.writing import SampleConfig
from reeltag.core.console import track
from reeltag.core.errors import ConfigError
from reeltag.core.files import write_json
from reeltag.core.writing import make_folder
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader
from reeltag.data.origin import count_kinds
from reeltag.data.records.example import Values, encode_example
from reeltag.data.records.tfrecord import TFRecordWriter
from reeltag.data.sampling import FrameChoice
from reeltag.data.selection import column_of
from reeltag.data.splits import Split, Splits
from reeltag.papers.common.costs import records_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.steps.files import COUNTS, DATA
from reeltag.pipeline.steps import step_function

_AT_ONCE = 64  # videos whose frames are averaged: 22 MB of YouTube-8M


@step_function("average_frames", version=1, cost=records_cost)
def average_frames(
    out: Path, data: DataLocation, *, splits: Splits, which: tuple[Split, ...]
) -> None:
    """Write video-level records: the mean of each stream, as YouTube-8M's, and the labels.

    The mean is over all frames of a video, of the dequantised features; `rgb` becomes `mean_rgb`.
    Video-level records keep their vectors, and get the labels that count. Shards keep their names;
    those that are there already stay.

    Args:
        out: folder of the step; gets the data folder `data`.
        data: where the data set is.
        splits: the rule that gives a shard its split.
        which: splits to be averaged.

    Raises:
        ConfigError: `out` is in the data, which would then hold two kinds of records.
        OutputError: the disk is full.
    """
    frames, folder = open_data(data, splits), out / DATA
    if frames.root.resolve() in out.resolve().parents:
        raise ConfigError(
            f"is in the data, {frames.root}, which would then hold video-level records too",
            where=out,
            hint="Choose an --out outside of that folder.",
        )
    make_folder(folder)
    frames.classes.save(folder / "classes.csv")
    shard_of_row = column_of(frames.table, "shard")
    usable = set(shard_of_row[~column_of(frames.table, "skip")].tolist())
    wanted = {shard for split in which for shard in frames.shards_of(split)}
    for shard in track(sorted(wanted & usable), "averaging frames"):
        path = folder / frames.shards[shard]
        if not path.exists():
            with TFRecordWriter(path) as writer:
                for record in _mean_records(frames.videos("all", rows=shard_of_row == shard)):
                    writer.write(record)


@step_function("augment", version=1, cost=records_cost)
def augment(
    out: Path,
    data: DataLocation,
    *,
    splits: Splits,
    plan: PlanConfig,
    making: SampleConfig,
    seed: int,
) -> None:
    """Write samples around the training videos of rare labels, thin out frequent ones.

    Args:
        out: folder of the step; gets the data folder `data`, and the samples of each kind.
        data: where the data set is, video-level.
        splits: the rule that gives a shard its split; `train` is augmented.
        plan: how many samples a label should have.
        making: how they are computed.
        seed: random seed of the kept videos and of the noise.
    """
    folder = out / DATA
    items = open_data(data, splits).videos("train")
    planned = plan_of(items, plan, seed=seed)
    prepare_folder(folder, items, settings(items, planned, making, seed))
    chunks = chunks_of(items, making.chunk_shards)
    works = works_of(folder, items, planned, chunks, making, seed)
    write_all(items, works, jobs=None, quiet=False)
    augmented = Dataset.open(folder, splits=splits).videos("train")
    counts: dict[str, int] = {"before": len(items), "after": len(augmented)}
    kinds = count_kinds(augmented.records.table["id"])
    write_json(out / COUNTS, counts | {str(kind): count for kind, count in kinds.items()})


def _mean_records(items: VideoSet) -> list[bytes]:
    """Return the video-level records of some videos, in their order."""
    bounds, labels = items.records.lists("labels")
    records = list[bytes]()
    scale, offset = items.features.codes() if items.dtype == np.uint8 else (1.0, 0.0)
    frames = FrameChoice(max_frames=int(items.length.max()))
    for batch in Loader(items, batch_size=_AT_ONCE, frames=frames, labels=False):
        for name, codes, mask in zip(batch.ids, batch.frames, batch.mask, strict=True):
            mean = codes[mask].numpy().mean(axis=0) * scale + offset
            at = len(records)
            of_video = labels[bounds[at] : bounds[at + 1]].astype(np.int64)
            features: dict[str, Values] = {"id": [name.encode()], "labels": of_video}
            records.append(encode_example(features | _by_stream(items, mean)))
    return records


def _by_stream(items: VideoSet, mean: NDArray[np.float64]) -> dict[str, Values]:
    """Return the mean (D,) of all streams by the names that YouTube-8M's have."""
    stops = np.cumsum([stream.width for stream in items.streams])
    parts = np.split(mean.astype(np.float32), stops[:-1])
    prefix = "" if items.dataset.kind == "video" else "mean_"
    names = [prefix + stream.name for stream in items.streams]
    return dict(zip(names, parts, strict=True))
