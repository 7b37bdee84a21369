"""Batches in, one prediction file out: memory flat, and a killed run goes on where it stopped.

    batches -> Scorer -> (per-class limit) -> P.parts/ -> (per-class limit, exactly) -> P

A part is closed at the first batch after a minute, so a kill costs a minute of work; Ctrl-C closes
it at the next batch and costs nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rich.progress import Progress, TaskID

from reeltag.core.batch import FrameBatch
from reeltag.core.console import progress_bar, say
from reeltag.core.files import PathLike, check_new_file, hold_result
from reeltag.core.interrupt import StopRequest, listening_for_stop
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.predictions.class_limit import ClassLimit
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.parts import PartWriter, PredictionParts, parts_of, remove_left_parts
from reeltag.predictions.rows import Kind, PredictionRows


class PartRows(Protocol):
    """The finished parts of a prediction, of one process or of several."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of the rows."""

    def rows(self, kind: Kind) -> Iterator[PredictionRows]:
        """Yield the rows of a kind, in order."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of predictions wrote.

    Attributes:
        path: the prediction file.
        videos: number of videos scored, by this run and interrupted ones before it.
        rows: number of rows written, by kind.
        resumed_at: videos that an interrupted run had done before.
        skipped: broken records.
        blank: blank videos, which were not scored.
        seconds: wall time of this run.
    """

    path: Path
    videos: int
    rows: dict[Kind, int]
    resumed_at: int
    skipped: int = 0
    blank: int = 0
    seconds: float


@dataclass(frozen=True)
class Output:
    """Where predictions go, and how.

    Attributes:
        path: the file to write; until it is whole there is a folder `<path>.parts` next to it.
        overwrite: replace the file if it exists.
        restart: remove the parts that an interrupted run has left, instead of going on from them.
        finish: writes `path` from the finished parts, and returns the number of rows by kind;
            None writes a prediction file.
        part_seconds: time between two points from which an interrupted run can go on.
    """

    path: Path
    overwrite: bool = False
    restart: bool = False
    finish: Callable[[PartRows], dict[Kind, int]] | None = None
    part_seconds: float = 60.0

    @classmethod
    def of(cls, out: "Output | PathLike") -> "Output":
        """Return an output to a new file, unless `out` is one already."""
        return out if isinstance(out, Output) else cls(Path(out))

    def check(self) -> None:
        """Raise OutputError where the file exists already and is not to be replaced."""
        check_output(self.path, overwrite=self.overwrite)


@dataclass(frozen=True)
class _Closing:
    """When a part is closed."""

    part_seconds: float
    stop: StopRequest

    def is_due(self, seconds: float) -> bool:
        """Return whether a part begun `seconds` ago is closed before the next batch."""
        return self.stop.requested or seconds >= self.part_seconds


def check_output(out: Path, *, overwrite: bool, flag: str = "--out P.parquet") -> None:
    """Raise OutputError where `out` exists already, unless it is a file and may be overwritten.

    Args:
        out: the file to write.
        overwrite: whether it may be replaced.
        flag: that gives it, with an example, for the hint.
    """
    remove_left_parts(out)
    check_new_file(out, flag, overwrite=overwrite)


def write_predictions(
    scorer: Scorer,
    read: Callable[[int], Iterable[FrameBatch]],
    num_videos: int,
    out: Output,
    about: PredictionInfo,
    settings: Mapping[str, Any],
    *,
    items: str = "videos",
) -> Outcome:
    """Score all batches into the prediction file `out.path`.

    Args:
        scorer: of a tagger.
        read: from the number of a video to the batches from this video on.
        num_videos: in all, or of what else is an item of a batch.
        out: where the rows go.
        about: written into the file.
        settings: all that the predictions depend on; parts written with others are an error.
        items: name of an item of a batch.

    Raises:
        ConfigError: parts of an interrupted run with other settings are there.
        DataError: a logit is not a number.
        KeyboardInterrupt: Ctrl-C; all batches scored until then are kept.
        OutputError: the disk is full, or another process writes the same file, which is named.
    """
    with hold_result(out.path):
        return _write_predictions(scorer, read, num_videos, out, about, settings, items)


def _write_predictions(
    scorer: Scorer,
    read: Callable[[int], Iterable[FrameBatch]],
    num_videos: int,
    out: Output,
    about: PredictionInfo,
    settings: Mapping[str, Any],
    items: str,
) -> Outcome:
    begun = time.monotonic()
    parts = PredictionParts(
        parts_of(out.path), settings, kinds_of(scorer.choices), restart=out.restart
    )
    resumed_at = parts.videos_done
    if resumed_at:
        say(f"going on after {resumed_at:,} of {num_videos:,} {items} ({parts.folder})")
    try:
        limits = limits_of(parts, about.num_classes, scorer.choices.per_class)
        with progress_bar() as bar:
            task = bar.add_task("predicting", total=num_videos, completed=resumed_at)
            batches = iter(read(resumed_at)) if resumed_at < num_videos else iter(())
            write_parts(scorer, batches, parts, limits, out.part_seconds, (bar, task, items))
        about = replace(about, blank=parts.num_blank)
        parts.end(out.path)
        rows = out.finish(parts) if out.finish else merge_parts(parts, out.path, about, limits)
    except BaseException:
        keep_or_remove(parts, parts.videos_done, num_videos, items)
        raise
    parts.remove()
    return Outcome(
        path=out.path,
        videos=parts.videos_done,
        rows=rows,
        resumed_at=resumed_at,
        blank=parts.num_blank,
        seconds=time.monotonic() - begun,
    )


def keep_or_remove(parts: PredictionParts, done: int, total: int, items: str) -> None:
    """Say what of an interrupted scoring is kept; remove its parts where nothing is done.

    Args:
        parts: of it.
        done: items that are scored.
        total: items in all.
        items: name of an item.
    """
    if not done:
        parts.remove()
        return
    say(
        f"{done:,} of {total:,} {items} are done and kept in {parts.folder}; the same command goes "
        "on from there"
    )


def kinds_of(choices: InferenceConfig) -> tuple[Kind, ...]:
    """Return the kinds of rows that are scored, in the order of the file."""
    kinds: tuple[tuple[Kind, bool], ...] = (
        ("videos", choices.videos),
        ("segments", choices.segments),
    )
    return tuple(kind for kind, wanted in kinds if wanted)


def limits_of(parts: PartRows, num_classes: int, per_class: int) -> dict[Kind, ClassLimit]:
    """Return the limit of the kind of rows that has one, after the rows that are there."""
    if not per_class:
        return {}
    kind = parts.kinds[-1]  # segments, where there are any
    limit = ClassLimit(num_classes, per_class)
    for rows in parts.rows(kind):
        limit.restore(rows)
    return {kind: limit}


def write_parts(
    scorer: Scorer,
    batches: Iterator[FrameBatch],
    parts: PredictionParts,
    limits: Mapping[Kind, ClassLimit],
    part_seconds: float,
    progress: tuple[Progress, TaskID, str],
) -> None:
    """Write all batches as parts; raise KeyboardInterrupt after the part that Ctrl-C closes."""
    stop = StopRequest("batch")
    closing = _Closing(part_seconds, stop)
    with listening_for_stop(stop):
        while not stop.requested and _write_part(scorer, batches, parts, limits, closing, progress):
            pass
    if stop.requested:
        raise KeyboardInterrupt


def _write_part(
    scorer: Scorer,
    batches: Iterator[FrameBatch],
    parts: PredictionParts,
    limits: Mapping[Kind, ClassLimit],
    closing: _Closing,
    progress: tuple[Progress, TaskID, str],
) -> bool:
    """Write one part; return False where no batch was left for it."""
    bar, task, items = progress
    batch = next(batches, None)
    if batch is None:
        return False
    begun, done, blank_before = time.monotonic(), 0, scorer.num_blank
    with parts.writing() as writers:
        while batch is not None:
            _write_batch(scorer, batch, writers, limits)
            done += len(batch)
            seconds = time.monotonic() - begun
            words = f"predicting, {done / max(seconds, 1e-9):,.0f} {items}/s"
            bar.update(task, advance=len(batch), description=words)
            batch = None if closing.is_due(seconds) else next(batches, None)
    parts.finish(parts.videos_done + done, scorer.num_blank - blank_before)
    return True


def _write_batch(
    scorer: Scorer,
    batch: FrameBatch,
    writers: Mapping[Kind, PartWriter],
    limits: Mapping[Kind, ClassLimit],
) -> None:
    limit = limits.get("segments")
    for videos, segments in scorer.score_parts(batch, limit.floors if limit else None):
        scored: dict[Kind, PredictionRows | None] = {"videos": videos, "segments": segments}
        for kind, writer in writers.items():
            rows = scored[kind]
            if rows is not None:
                writer.write(limits[kind].admit(rows) if kind in limits else rows)


def merge_parts(
    parts: PartRows, out: Path, about: PredictionInfo, limits: Mapping[Kind, ClassLimit]
) -> dict[Kind, int]:
    """Write all finished parts as one file, and return the number of rows by kind."""
    written: dict[Kind, int] = dict.fromkeys(parts.kinds, 0)
    with prediction_writer(out, about) as writer:
        for kind in parts.kinds:
            for rows in parts.rows(kind):
                kept = limits[kind].keep(rows) if kind in limits else rows
                writer.write(kept)
                written[kind] += len(kept)
    return written
