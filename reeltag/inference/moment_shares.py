"""Moments found by several processes: each searches shares of the videos, one process lists them.

Moments are within a video, so those of all shares, one after the other, are those of one process.
The windows of a share are not stored, only its moments; what was found is lost with the process.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.core.files import scratch_folder, whole_file
from reeltag.core.parts import new_part
from reeltag.core.sealed import open_sealed, sealed_writer
from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.inference.batches import VideoBatches
from reeltag.inference.moments import BestIntervals, find_intervals_in, score_windows
from reeltag.inference.predict import weights_digest
from reeltag.inference.progress import ShareBar
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.shares import bounds_of, prepare_worker, share_steps, whole_path
from reeltag.pipeline.scheduler import run_on_workers
from reeltag.pipeline.steps import Step, step_function
from reeltag.pipeline.store import folder_of
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.intervals import IntervalConfig
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import THRESHOLDS_FILE, Thresholds

_FOUND = "found.arrow"
_COLUMNS = ("classes", "start_s", "end_s", "peak_s", "scores", "mean_prob")


@dataclass(frozen=True, kw_only=True)
class MomentJob:
    """Which videos are searched for moments, by paths, so that any process can search some.

    Attributes:
        checkpoint: run folder, WORK of a program, or file of `reeltag export`.
        data: folder of TFRecords, or one.
        splits: the rule that gives a shard its split.
        split: which part of the data.
        videos: ids of those that are searched; empty = all of the split.
        config: how windows become moments.
        classes: K of them, which are searched; empty = all.
        top: intervals kept of each class; None = all.
        batch_size: videos that are read at once.
        device: cpu, cuda, ...; auto takes a GPU where there is one.
    """

    checkpoint: Path
    data: Path
    splits: Splits = PUBLISHED_SPLITS
    split: Split = "test"
    videos: tuple[str, ...] = ()
    config: IntervalConfig = field(default_factory=IntervalConfig)
    classes: tuple[int, ...] = ()
    top: int | None = None
    batch_size: int = 64
    device: str = "auto"

    def rows(self, data: Dataset) -> NDArray[np.int64]:
        """Return the rows of the data's table that are searched, ascending."""
        rows = data.rows(self.split)
        if not self.videos:
            return rows
        ids = np.array(data.table["id"].to_pylist(), object)[rows]
        return rows[np.isin(ids, np.array(self.videos, object))]

    def bounds(self, tagger: AnyTagger, data: Dataset) -> list[tuple[int, int]]:
        """Return the shares [first, stop) of the videos, of whole batches."""
        streams = tuple(name for name, _ in tagger.streams)
        mask = np.zeros(len(data.table), bool)
        mask[self.rows(data)] = True
        items = data.videos(self.split, streams=streams, rows=mask)
        choices = InferenceConfig(
            videos=False, segments=True, batch_size=self.batch_size, device="cpu"
        )
        return bounds_of(VideoBatches(items, choices).starts(), items.length)


def find_intervals_on(
    job: MomentJob,
    workers: WorkerConfig,
    thresholds: Thresholds,
    keep: Callable[[Intervals], NDArray[np.bool_]] | None = None,
) -> BestIntervals:
    """Return the intervals of the videos of a job, found by several processes.

    Args:
        job: which videos, and how.
        workers: where; on a cluster the folder that the command is run in must be seen by all.
        thresholds: of the C classes.
        keep: returns (M,) which intervals count; None = all do.

    Raises:
        ConfigError: tagger and data do not fit each other, or there is no such GPU or cluster.
        DataError: the data cannot be read.
        FailedStepsError: a share failed, or its worker died; it names them.
    """
    tagger, data = any_tagger(job.checkpoint), Dataset.open(job.data, splits=job.splits, quiet=True)
    bounds = job.bounds(tagger, data)
    there = replace(
        job,
        checkpoint=job.checkpoint.absolute(),
        data=whole_path(job.data),
        device=workers.device(job.device),
        top=None if keep else job.top,
    )
    best = BestIntervals(len(thresholds.classes), job.top)
    with _folder(workers) as root:
        thresholds.save(root)
        runtime = {"job": there, "thresholds": root / THRESHOLDS_FILE}
        weights = weights_digest(tagger)
        steps = share_steps(
            find_share, [there.checkpoint], bounds, runtime=runtime, weights=weights
        )
        _run(steps, bounds, root, workers, job.device)
        for one in steps:
            _add(folder_of(one, root) / _FOUND, best, keep)
    return best


@step_function("moment-share", version=1)
def find_share(
    out: Path,
    *sources: Path,
    first: int,
    stop: int,
    weights: str,
    job: MomentJob,
    thresholds: Path,
) -> None:
    """Find the intervals of the videos [first, stop) of a job, into a file in the folder `out`.

    Args:
        out: folder of the share.
        *sources: what the job reads.
        first: number of a video that begins a batch.
        stop: number of the video that begins the next share.
        weights: hash of the tagger's, as the scheduler sees them.
        job: which videos, and how.
        thresholds: file of the C classes' thresholds.

    Raises:
        ConfigError: other weights are at the same path.
        DataError: the data cannot be read, or a score is not a number.
    """
    del sources  # their paths are in the job
    tagger, data, digest = _loaded(job.checkpoint, job.data, job.splits, job.device)
    if digest != weights:
        raise ConfigError("other weights are here than where the work was divided")
    mask = np.zeros(len(data.table), bool)
    mask[job.rows(data)[first:stop]] = True
    windows = score_windows(
        tagger,
        data,
        job.config,
        split=job.split,
        rows=mask,
        batch_size=job.batch_size,
        device=job.device,
    )
    best = find_intervals_in(
        windows, job.config, Thresholds.open(thresholds), classes=job.classes, top=job.top
    )
    _write(best, out / _FOUND)


def _folder(workers: WorkerConfig) -> AbstractContextManager[Path]:
    """Return a folder that all workers see, for what is not kept."""
    if workers.engine == "ray":
        return new_part(Path.cwd() / "moments", folder=True)
    return scratch_folder()


def _run(
    steps: list[Step],
    bounds: list[tuple[int, int]],
    root: Path,
    workers: WorkerConfig,
    device: str,
) -> None:
    """Run the steps of all shares, a number of videos each."""
    pairs = zip(steps, bounds, strict=True)
    sizes = {one.folder_name: stop - first for one, (first, stop) in pairs}
    try:
        with closing(workers.create(device)) as engine:
            bar = ShareBar(sizes, "videos", sum(sizes.values()))
            run_on_workers(steps, root, engine, display=bar)
    except KeyboardInterrupt:
        say("nothing is kept of a search that was stopped")
        raise


@lru_cache(maxsize=1)
def _loaded(
    checkpoint: Path, data: Path, splits: Splits, device: str
) -> tuple[AnyTagger, Dataset, str]:
    """Return tagger, data and a hash of the weights, which a worker loads once."""
    prepare_worker(device)
    tagger = any_tagger(checkpoint)
    return tagger, Dataset.open(data, splits=splits, quiet=True), weights_digest(tagger)


def _write(best: BestIntervals, path: Path) -> None:
    """Write intervals, in the order of their ranks, how many there are, and of how many windows."""
    found = best.ranked()
    columns = [found.ids, *(pa.array(getattr(found, name)) for name in _COLUMNS)]
    rows = pa.record_batch(columns, ["ids", *_COLUMNS])
    facts = {"counts": best.counts.tolist(), "windows": best.windows}
    schema = rows.schema.with_metadata({"facts": json.dumps(facts)})
    with whole_file(path) as part, sealed_writer(part, schema) as writer:
        writer.write_batch(rows.replace_schema_metadata(schema.metadata))


def _add(
    path: Path, best: BestIntervals, keep: Callable[[Intervals], NDArray[np.bool_]] | None
) -> None:
    """Add the intervals of a share."""
    reader = open_sealed(path)
    facts = json.loads(reader.schema.metadata[b"facts"])
    rows = reader.read_all().combine_chunks()
    ids = rows["ids"].combine_chunks()
    found = Intervals(ids=ids, **{name: rows[name].to_numpy() for name in _COLUMNS})
    best.windows += facts["windows"]
    before = best.counts.copy()
    best.add(found if keep is None else found.take(keep(found)))
    if keep is None:  # those that are not kept are counted, too
        best.counts[:] = before + np.array(facts["counts"], np.int64)
