"""Scores of several processes, one a GPU or some on the cores, as one whole file.

    items --divide--> shares --workers--> P.parts/shares/share-0003-.../rows --merge--> P

The items are divided into shares that begin where batches do, as many whatever the number of
workers. So each batch is that of a single process and its scores are the same bits, and the rows of
the shares, one after the other, are the rows of a single process. A share is a step of
`reeltag.pipeline`: a worker that dies costs the minute since its last part, and the same command
goes on with any number of workers, on this machine or on a cluster.

Ray's actors each own such a worker. Ray Data would give the blocks of a share that is lost to
another actor from their beginning, and move all rows through its object store to put them in order.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from reeltag.core.addresses import address_of
from reeltag.core.console import progress_bar
from reeltag.core.devices import torch_device
from reeltag.core.errors import ConfigError
from reeltag.core.files import hold_result
from reeltag.inference.progress import ShareBar
from reeltag.inference.scoring_job import Scoring, ScoringJob
from reeltag.inference.stream import (
    Outcome,
    Output,
    keep_or_remove,
    kinds_of,
    limits_of,
    merge_parts,
    write_parts,
)
from reeltag.pipeline.keys import digest
from reeltag.pipeline.scheduler import run_on_workers
from reeltag.pipeline.steps import Step, source, step, step_function
from reeltag.pipeline.store import folder_of, is_done, part_of
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.predictions.parts import SHARES, PredictionParts, parts_of
from reeltag.predictions.rows import Kind, PredictionRows

MOST_SHARES = 128  # of a scoring: the more, the less is left to the slowest worker at the end
LEAST_BATCHES = 4  # of a share, which costs some 0.1 s around them
_ROWS = "rows"  # folder of the parts in that of a share
_PART_SECONDS = 60.0


def score_on_workers(job: ScoringJob, out: Output, workers: WorkerConfig) -> Outcome:
    """Score all items of a job in several processes, into one file.

    Rows and their order are those of one process on the same kind of device. On the CPU a worker
    has one thread, so that not even the last bits depend on the number of workers; they are those
    of one process with OMP_NUM_THREADS=1. Memory: what one process needs for each worker.

    Args:
        job: what is scored; every worker loads it from its paths.
        out: the file to write, and how.
        workers: where.

    Raises:
        ConfigError: tagger and data do not fit each other, an interrupted run had other settings or
            was of one process, or there is no such GPU or cluster.
        DataError: the data cannot be read.
        FailedStepsError: a share failed, or its worker died; it names them.
        KeyboardInterrupt: Ctrl-C; all batches scored until then are kept.
        OutputError: `out` exists, the disk is full, or another process writes the same file.
    """
    out.check()
    begun = time.monotonic()
    with hold_result(out.path):
        scoring = job.scoring("cpu")  # the GPUs are the workers'
        steps = _shares(_absolute(job), scoring, workers.device(job.device))
        settings = {**_fixed(scoring), "shares": len(steps)}
        kinds = kinds_of(scoring.choices)
        parts = PredictionParts(parts_of(out.path), settings, kinds, restart=out.restart)
        root = parts.folder / SHARES
        done_before = {one.folder_name: _done(one, root) for one in steps}
        try:
            with closing(workers.create(job.device)) as engine:
                left = {one.folder_name: _size(one) - done_before[one.folder_name] for one in steps}
                bar = ShareBar(left, scoring.item_name, len(scoring))
                run_on_workers(steps, root, engine, display=bar)
            parts.end(out.path)
            shares = _FinishedShares([folder_of(one, root) / _ROWS for one in steps], kinds)
            rows, blank = _write(scoring, shares, out), shares.num_blank
        except BaseException:
            done = sum(_done(one, root) for one in steps)
            keep_or_remove(parts, done, len(scoring), scoring.item_name)
            raise
        parts.remove()
    return Outcome(
        path=out.path,
        videos=len(scoring),
        rows=rows,
        resumed_at=sum(done_before.values()),
        skipped=scoring.skipped,
        blank=blank,
        seconds=time.monotonic() - begun,
    )


@step_function("share", version=1)
def score_share(
    out: Path, *sources: Path, first: int, stop: int, settings: str, job: ScoringJob, device: str
) -> None:
    """Score the items [first, stop) of a job into parts in the folder `out`.

    Args:
        out: folder of the share; parts that are there are gone on from.
        *sources: what the job reads.
        first: number of an item that begins a batch.
        stop: number of the item that begins the next share.
        settings: digest of those that the scores depend on, as the scheduler sees them.
        job: what is scored.
        device: where.

    Raises:
        ConfigError: settings differ here: other weights or other data are at the same paths.
        DataError: the data cannot be read, or a logit is not a number.
        KeyboardInterrupt: Ctrl-C; all batches scored until then are kept.
    """
    del sources  # their paths are in the job
    scoring = _loaded(job, device)
    if _settings_digest(scoring) != settings:
        raise ConfigError("other weights or records are here than where the work was divided")
    parts, scorer = _share_parts(out / _ROWS, scoring), scoring.scorer()
    limits = limits_of(parts, scoring.about.num_classes, scoring.choices.per_class)
    begin = first + parts.videos_done
    with progress_bar() as bar:
        shown: tuple[Progress, TaskID, str] = (bar, bar.add_task("predicting"), scoring.item_name)
        batches = iter(scoring.read(begin, stop)) if begin < stop else iter(())
        write_parts(scorer, batches, parts, limits, _PART_SECONDS, shown)


def divide(
    starts: NDArray[np.int64], frames: NDArray[np.integer], most: int
) -> list[tuple[int, int]]:
    """Return the shares [first, stop) of items: each of whole batches, with as many frames.

    Args:
        starts: (N,) numbers of the items that begin a batch, ascending from 0.
        frames: (items,) of each.
        most: shares at most.

    Example:
        >>> divide(np.array([0, 2, 4]), np.array([3, 3, 3, 3, 1]), 2)
        [(0, 2), (2, 5)]
    """
    before = np.concatenate([[0], np.cumsum(frames, dtype=np.int64)])
    count = min(most, len(starts))
    wanted = before[-1] * np.arange(1, count) / count
    nearest = np.searchsorted((before[starts][1:] + before[starts][:-1]) / 2, wanted)
    bounds = np.unique(np.concatenate([[0], starts[nearest], [len(frames)]])).tolist()
    return list(pairwise(bounds))


@dataclass(frozen=True)
class _FinishedShares:
    """The parts of all shares, one after the other."""

    folders: list[Path]
    kinds: tuple[Kind, ...]

    def rows(self, kind: Kind) -> Iterator[PredictionRows]:
        for folder in self.folders:
            yield from PredictionParts.open(folder, self.kinds).rows(kind)

    @property
    def num_blank(self) -> int:
        """Blank videos."""
        return sum(PredictionParts.open(of, self.kinds).num_blank for of in self.folders)

    @property
    def devices(self) -> str:
        """Names of the devices that scored."""
        opened = (PredictionParts.open(folder, self.kinds) for folder in self.folders)
        return ", ".join(sorted({str(parts.settings["device"]) for parts in opened}))


def _write(scoring: Scoring, shares: _FinishedShares, out: Output) -> dict[Kind, int]:
    """Write the file of all shares, and return the number of rows by kind."""
    if scoring.finish:
        return scoring.finish(shares, out.path)
    about = replace(scoring.about, blank=shares.num_blank, device=shares.devices)
    limits = limits_of(shares, about.num_classes, scoring.choices.per_class)
    return merge_parts(shares, out.path, about, limits)


def _shares(job: ScoringJob, scoring: Scoring, device: str) -> list[Step]:
    """Return the steps that score the shares."""
    paths = [path for path in job.sources if address_of(path) is None]
    bounds = bounds_of(scoring.starts(), scoring.frames)
    runtime = {"job": job, "device": device}
    return share_steps(
        score_share, paths, bounds, runtime=runtime, settings=_settings_digest(scoring)
    )


def share_steps(
    function: Callable[..., object],
    sources: Iterable[Path],
    bounds: Iterable[tuple[int, int]],
    *,
    runtime: dict[str, Any],
    **config: str,
) -> list[Step]:
    """Return a step for each share, in order.

    Args:
        function: a step function with the parameters `first` and `stop`, the bounds of a share.
        sources: paths that every share reads, of this machine.
        bounds: of the shares.
        runtime: further arguments, which the result does not depend on.
        **config: further arguments, which it depends on: what is at the sources, among others.
    """
    known = [source(path, "known by the config") for path in sources]
    return [
        step(
            function,
            *known,
            name=f"{number:04d}",
            runtime=runtime,
            first=first,
            stop=stop,
            **config,
        )
        for number, (first, stop) in enumerate(bounds, start=1)
    ]


def _absolute(job: ScoringJob) -> ScoringJob:
    """Return a job whose paths mean the same wherever a worker is."""
    assert is_dataclass(job)
    values = {each.name: getattr(job, each.name) for each in fields(job)}
    paths = {name: whole_path(value) for name, value in values.items() if isinstance(value, Path)}
    absolute: ScoringJob = replace(job, **paths)
    return absolute


def whole_path(path: Path) -> Path:
    """Return a path from the root on; an address of an object store stays as it is."""
    return path.absolute() if address_of(path) is None else path


def _settings_digest(scoring: Scoring) -> str:
    """Return a hash of all that scores depend on but for the device."""
    return digest(json.dumps(_fixed(scoring), sort_keys=True))


def _fixed(scoring: Scoring) -> dict[str, Any]:
    """Return the settings but for the device, which is the workers'."""
    return {name: value for name, value in scoring.settings.items() if name != "device"}


def bounds_of(starts: NDArray[np.int64], frames: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return the shares of items that workers take, see `divide`: few enough that each is worth it.

    Args:
        starts: (N,) numbers of the items that begin a batch, ascending from 0.
        frames: (items,) of each.
    """
    return divide(starts, frames, min(MOST_SHARES, -(-len(starts) // LEAST_BATCHES)))


def prepare_worker(device: str) -> None:
    """Set up a process that scores shares on a device."""
    if torch_device(device).type == "cpu":
        torch.set_num_threads(1)  # the last bits of a score depend on how many there are
    pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards


@lru_cache(maxsize=1)
def _loaded(job: ScoringJob, device: str) -> Scoring:
    """Return a scoring, which a worker loads once for all its shares."""
    prepare_worker(device)
    return job.scoring(device)


def _share_parts(folder: Path, scoring: Scoring) -> PredictionParts:
    """Return the parts of a share; those that another kind of device scored are removed."""
    kinds = kinds_of(scoring.choices)
    try:
        return PredictionParts(folder, scoring.settings, kinds)
    except ConfigError:
        return PredictionParts(folder, scoring.settings, kinds, restart=True)


def _size(one: Step) -> int:
    """Return how many items a share has."""
    bounds: Mapping[str, Any] = one.config
    return int(bounds["stop"] - bounds["first"])


def _done(one: Step, root: Path) -> int:
    """Return how many items of a share are scored."""
    if is_done(one, root):
        return _size(one)
    folder = part_of(one, root) / _ROWS
    return PredictionParts.open(folder, ()).videos_done if folder.exists() else 0
