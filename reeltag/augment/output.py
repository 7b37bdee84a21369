"""The folder that an augmentation fills: a data folder with the same shards as the one it is of.

    OUT/augment.json         data and settings; a run with other settings raises
        classes.csv          names of the classes
        train0000.tfrecord   new shards of the split, under the names of the old ones
        test0000.tfrecord    links to the shards of the other splits

A shard appears whole or not at all, and one that is there is not written again: a run that was
stopped goes on where it was.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reeltag.augment.plan import Plan
from reeltag.augment.volume import Chunk
from reeltag.augment.writing import ChunkWork, SampleConfig, settings_of, write_chunk
from reeltag.core.console import STDERR, say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import check_new_path, link, write_json
from reeltag.core.locks import hold
from reeltag.core.parts import lock_next_to
from reeltag.core.writing import make_folder
from reeltag.data.dataset import files_of_source
from reeltag.data.items import VideoSet

SETTINGS = "augment.json"
LOOK = 0.5  # seconds from one look at what is finished to the next
LOG_EVERY = 30.0  # seconds from line to line in a log file


def settings(items: VideoSet, plan: Plan, sampling: SampleConfig, seed: int) -> dict[str, Any]:
    """Return everything that the new shards depend on, as plain JSON values."""
    return {
        "split": items.records.split,
        "videos": len(items),
        "content": _digest(items),
        **settings_of(sampling),
        "pivot": plan.config.number,
        "decades": plan.config.decades,
        "alpha": plan.config.alpha,
        "rare": plan.config.rare,
        "seed": seed,
    }


def _digest(items: VideoSet) -> str:
    """Return a hash of which records are used, where they are and what their labels are."""
    names = [items.dataset.shards[number] for number in np.unique(items.shard).tolist()]
    digest = hashlib.sha256(json.dumps(names).encode())
    bounds, classes = items.records.lists("labels")
    offset, size = items.offset, items.records.column("size")
    for column in (items.shard, offset, size, bounds, classes):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()[:16]


def prepare_folder(out: Path, items: VideoSet, wanted: Mapping[str, Any]) -> None:
    """Make the folder, or take it up again: settings, classes, links to the other shards.

    Args:
        out: the folder.
        items: the videos that are augmented.
        wanted: settings, see `settings`.

    Raises:
        ConfigError: `out` is in the data, or was written with other settings or from other data, or
            the labels are not those of the records, which are copied as they are.
        OutputError: `out` holds something else, cannot be written, or is being prepared by another
            process, which is named.
    """
    data = items.dataset
    root = data.root.resolve()
    if "labels" in data.sources:
        raise ConfigError(
            "replaces the labels of the records, and records are copied with the labels in them",
            where=files_of_source(data.sources["labels"])[0],
            hint="Augment with the labels of the records.",
        )
    if root in (out.resolve(), *out.resolve().parents) and data.path.is_dir():
        raise ConfigError(
            f"is in the data, {root}, which would then be augmented with itself",
            where=out,
            hint="Choose an --out outside of that folder.",
        )
    with hold(lock_next_to(out), out):  # else two could begin with different settings
        if (out / SETTINGS).is_file():
            _check_settings(out / SETTINGS, wanted)
        else:
            check_new_path(out)
        make_folder(out)
        write_json(out / SETTINGS, {"data": str(root), **wanted})
        data.classes.save(out / "classes.csv")
        written = set(np.unique(items.shard).tolist())
        for number in sorted(set(range(len(data.shards))) - written):
            link((data.root / data.shards[number]).resolve(), out / data.shards[number])


def _check_settings(path: Path, wanted: Mapping[str, Any]) -> None:
    """Raise ConfigError where a folder that is there was written otherwise than it would be now."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        others = [name for name, value in wanted.items() if found[name] != value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "Remove the folder, or choose another --out."
        raise DataError(
            "does not describe how the folder was written", where=path, hint=hint
        ) from error
    if others:
        name = others[0]
        of_data = name in ("videos", "content", "split")
        raise ConfigError(
            f"was written from other data ({name} {found[name]}, now {wanted[name]})"
            if of_data
            else f"was written with {name} {found[name]}, not {wanted[name]}",
            where=path.parent,
            hint="Give the same options to go on with it, or choose another --out.",
        )


def works_of(
    out: Path, items: VideoSet, plan: Plan, chunks: list[Chunk], sampling: SampleConfig, seed: int
) -> list[ChunkWork]:
    """Return the work for each chunk."""
    data = items.dataset
    return [
        ChunkWork(
            data=data.path,
            classes=None if data.classes.inferred else data.classes,
            out=out,
            split=items.records.split,
            splits=data.splits,
            shards=chunk.shards,
            decision=plan.decision[chunk.first : chunk.stop],
            neighbours=plan.neighbours[chunk.first : chunk.stop],
            kept=plan.kept[chunk.first : chunk.stop],
            sampling=sampling,
            seed=seed,
        )
        for chunk in chunks
    ]


def write_all(items: VideoSet, works: list[ChunkWork], *, jobs: int | None, quiet: bool) -> int:
    """Write what is not there yet.

    Args:
        items: the videos that are augmented.
        works: the work of each chunk.
        jobs: processes; None: one per core.
        quiet: show no progress.

    Returns:
        How many videos of the split were read for it; 0 where all was there.

    Raises:
        DataError: a shard vanished, shrank or cannot be read.
        OutputError: a shard cannot be written.
    """
    counts = np.bincount(items.shard, minlength=len(items.dataset.shards)).tolist()
    pending = {
        work.out / items.dataset.shards[shard]: counts[shard]
        for work in works
        for shard in work.shards
        if not (work.out / items.dataset.shards[shard]).exists()
    }
    names = items.dataset.shards
    todo = [work for work in works if any(work.out / names[n] in pending for n in work.shards)]
    if not todo:
        return 0
    jobs = max(1, min(jobs or joblib.cpu_count(), len(todo)))
    try:
        with _watched(pending, quiet):
            if jobs == 1:
                for work in todo:
                    write_chunk(work)
            else:
                parallel = joblib.Parallel(n_jobs=jobs, pre_dispatch="n_jobs", batch_size=1)
                parallel(joblib.delayed(write_chunk)(work) for work in todo)
    except KeyboardInterrupt:
        say("the shards that are finished stay; the same command goes on from there")
        raise
    return sum(pending.values())


@contextmanager
def _watched(pending: Mapping[Path, int], quiet: bool) -> Iterator[None]:
    """Show on stderr how far the block is: path of a file -> videos that are done when it is."""
    if quiet:
        yield
        return
    end = threading.Event()
    watcher = threading.Thread(target=_watch, args=(dict(pending), end), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        end.set()
        watcher.join()


@dataclass
class _Progress:
    """How many videos of how many are done, and since when."""

    total: int
    began: float
    done: int = 0

    @property
    def speed(self) -> float:
        """Videos per second."""
        return self.done / max(time.monotonic() - self.began, 1e-9)


def _watch(pending: dict[Path, int], end: threading.Event) -> None:
    state = _Progress(total=sum(pending.values()), began=time.monotonic())
    columns = (
        TextColumn("augmenting"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} videos  {task.fields[speed]:,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    logged = time.monotonic()
    bar = Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal)
    with bar:
        task = bar.add_task("", total=state.total, speed=0.0)
        while not end.wait(LOOK):
            for path in [path for path in pending if path.exists()]:
                state.done += pending.pop(path)
            bar.update(task, completed=state.done, speed=state.speed)
            if not STDERR.is_terminal and time.monotonic() - logged > LOG_EVERY:
                logged = time.monotonic()
                left = (state.total - state.done) / state.speed if state.done else float("nan")
                STDERR.print(
                    f"{state.done:,} of {state.total:,} videos  {state.speed:,.0f} videos/s  "
                    f"{left / 60:.1f} min left",
                    highlight=False,
                )
