"""Computes the curves of a finder, or of an encoder's own classes, in a process of its own.

    python -m reeltag.server.project.curve_job DATA RUN|encoder OUT

Videos whose curves are in OUT already keep them, if their shard is as it was. The curves appear
whole or not at all. Progress is on stderr: `progress: 0.42 words`.
"""

import argparse
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink
from reeltag.core.console import say
from reeltag.core.errors import ConfigError, MissingPackageError, OutputError, ReeltagError
from reeltag.core.files import whole_folder
from reeltag.core.parts import remove_ours
from reeltag.core.probability import prob_logits
from reeltag.data.dataset import Dataset
from reeltag.data.selection import column_of
from reeltag.predictions.intervals import IntervalConfig
from reeltag.predictions.steps import steps_between
from reeltag.server.job_lines import log_progress
from reeltag.server.project.curve_sources import CurveSource, EncoderCurves, FinderCurves
from reeltag.server.project.curves import (
    ENCODER,
    NUM_TOP,
    CurvesMeta,
    CurveStore,
    stamps_of,
)
from reeltag.server.project.finders import check_finder, key_of
from reeltag.server.project.logit_file import Float16, LogitWriter
from reeltag.server.project.videos import rows_by_id
from reeltag.tagger.loading import any_tagger

_BLOCK = 1 << 23  # values that are written at once
_SPARE = 1 << 29  # bytes that stay free on the disk


@dataclass(frozen=True, eq=False)
class _Plan:
    """The videos whose curves are kept: V of them, in the order of the data.

    Attributes:
        ids: of the videos.
        rows: (V,) of the data's table.
        seconds: (V,) how long each is.
        steps: (V,) of each.
        stamps: of the shard of each.
    """

    ids: list[str]
    rows: NDArray[np.int64]
    seconds: NDArray[np.float64]
    steps: NDArray[np.int64]
    stamps: list[str]

    @classmethod
    def of(cls, data: Dataset, hop_s: float) -> "_Plan":
        """Return the plan of all videos with frames."""
        frames, shards = column_of(data.table, "frames"), column_of(data.table, "shard")
        found = {video: row for video, row in rows_by_id(data).items() if frames[row] > 0}
        rows = np.array([*found.values()], np.int64)
        seconds = frames[rows] / data.features.rate_hz
        stamps = stamps_of(data)
        _, steps = steps_between(np.zeros(len(rows)), seconds / hop_s)
        of_shard = [stamps[shard] for shard in shards[rows].tolist()]
        return cls([*found], rows, seconds, steps, of_shard)

    @property
    def first(self) -> NDArray[np.int64]:
        """(V,) the first step of each video; one is between two videos."""
        begins: NDArray[np.int64] = np.cumsum(self.steps + 1) - (self.steps + 1)
        return begins


def compute_curves(
    source: CurveSource,
    data: Dataset,
    key: str,
    out: Path,
    *,
    log: Callable[[float, str], None] = log_progress,
) -> CurvesMeta:
    """Compute the curves of all videos that have none yet, and write all of them.

    Args:
        source: of curves.
        data: that it computes them of.
        key: of the finder, or `ENCODER`.
        out: folder of these curves.
        log: is told the fraction that is done, and words.

    Raises:
        OutputError: the disk has no space for them, or they cannot be written.
    """
    plan = _Plan.of(data, source.config.hop_s)
    meta = CurvesMeta(
        token=secrets.token_hex(6),
        key=key,
        basis=source.basis,
        classes=source.classes,
        hop_s=source.config.hop_s,
        length_s=source.config.length_s,
    )
    _check_space(out, plan, len(meta.classes))
    old = _kept(out, meta)
    out.mkdir(parents=True, exist_ok=True)
    with whole_folder(out / meta.token) as folder:
        best = np.full((len(plan.ids), len(meta.classes)), -np.inf, np.float16)
        for at in _write_logits(folder / "logits.npy", plan, source, old, best):
            log(at / len(plan.ids), f"{at:,} of {len(plan.ids):,} videos")
        top = np.argsort(-best.astype(np.float32), axis=1, kind="stable")[:, :NUM_TOP]
        np.save(folder / "best.npy", best)
        np.save(folder / "top.npy", top.astype(np.int32))
        columns = {
            "id": pa.array(plan.ids, pa.string()),
            "first": pa.array(plan.first, pa.int64()),
            "steps": pa.array(plan.steps, pa.int64()),
            "seconds": pa.array(plan.seconds, pa.float64()),
            "stamp": pa.array(plan.stamps, pa.string()),
        }
        with arrow_sink(folder / "videos.parquet") as sink:
            pq.write_table(pa.table(columns), sink)
        if source.thresholds is not None:
            source.thresholds.save(folder)
    meta.save(out)
    for other in out.iterdir():
        if other.is_dir() and other.name != meta.token:
            remove_ours(other)
    return meta


def _write_logits(
    path: Path, plan: _Plan, source: CurveSource, old: CurveStore | None, best: Float16
) -> Iterator[int]:
    """Write the logits (C, N) of all videos, the best of each to `best` (V, C).

    Yields how many videos are written, from time to time.
    """
    num_classes = best.shape[1]
    shape = num_classes, int(plan.steps.sum()) + len(plan.ids)
    kept = np.array([_is_known(old, *of) for of in zip(plan.ids, plan.stamps, strict=True)], bool)
    block, number = list[Float16](), 0
    gap = np.full((num_classes, 1), -np.inf, np.float16)
    with closing(LogitWriter(path, shape)) as logits:
        for at, curve in enumerate(_curves(plan, kept, source, old, num_classes)):
            best[at] = curve.max(axis=1)
            block += [curve, gap]
            number += curve.shape[1] + 1
            if number * num_classes >= _BLOCK or at + 1 == len(plan.ids):
                logits.write(np.concatenate(block, axis=1))
                block, number = [], 0
                yield at + 1


def _curves(
    plan: _Plan,
    kept: NDArray[np.bool_],
    source: CurveSource,
    old: CurveStore | None,
    num_classes: int,
) -> Iterator[Float16]:
    """Yield the logits (C, S) of each video of the plan; -inf where it cannot be scored."""
    new = source.curves(plan.rows[~kept])
    video, curve = next(new, ("", None))
    for at, wanted in enumerate(plan.ids):
        found = np.full((num_classes, int(plan.steps[at])), -np.inf, np.float16)
        if kept[at] and old is not None:
            place = old.places[wanted]
            first = int(old.first[place])
            found[:] = old.logits.of_steps(first, first + found.shape[1])
        elif curve is not None and video == wanted:
            there_SC = np.isfinite(curve)
            logits_SC = prob_logits(np.where(there_SC, curve, 0)).astype(np.float16)
            found[:] = np.where(there_SC, logits_SC, -np.inf).T
            video, curve = next(new, ("", None))
        yield found


def _kept(out: Path, meta: CurvesMeta) -> CurveStore | None:
    """Return the curves of before, if they are of the same classes and steps."""
    try:
        old = CurveStore.open(out)
    except ReeltagError as error:
        say(f"computed again: {error}")
        return None
    if old is None:
        return None
    same = (old.meta.key, old.classes, old.meta.hop_s, old.meta.length_s)
    return old if same == (meta.key, meta.classes, meta.hop_s, meta.length_s) else None


def _is_known(old: CurveStore | None, video: str, stamp: str) -> bool:
    place = None if old is None else old.places.get(video)
    return old is not None and place is not None and old.stamps[place] == stamp


def _check_space(out: Path, plan: _Plan, num_classes: int) -> None:
    """Raise OutputError where the disk has no space for curves."""
    size = 2 * num_classes * (int(plan.steps.sum()) + 2 * len(plan.ids))
    place = next(of for of in (out, *out.parents) if of.exists())
    free = shutil.disk_usage(place).free
    if size + _SPARE > free:
        raise OutputError(
            f"curves of {num_classes:,} classes over {len(plan.ids):,} videos need "
            f"{size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            where=out,
            hint="Free some space, or serve a run of fewer classes.",
        )


def source_of(data: Dataset, what: str, config: IntervalConfig) -> tuple[CurveSource, str]:
    """Return what computes curves, and its key.

    Args:
        data: to compute them of.
        what: path of a run or graph, or `ENCODER`.
        config: windows of a run.

    Raises:
        ConfigError: the run is of other features; no encoder of the data has classes.
        DataError: it is no run.
    """
    if what == ENCODER:
        return EncoderCurves(data), ENCODER
    run = Path(what)
    check_finder(run, data)
    return FinderCurves(any_tagger(run), data, config), key_of(run)


def main(arguments: list[str] | None = None) -> int:
    """Compute curves; 2 with words on stderr where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m reeltag.server.project.curve_job")
    parser.add_argument("data", type=Path)
    parser.add_argument("source", help=f"run folder, graph, or {ENCODER!r}")
    parser.add_argument("out", type=Path)
    parser.add_argument("--length", type=float, default=IntervalConfig.length_s)
    parser.add_argument("--hop", type=float, default=IntervalConfig.hop_s)
    given = parser.parse_args(arguments)
    try:
        config = IntervalConfig(length_s=given.length, hop_s=given.hop)
        data = Dataset.open(given.data, labels=(), ratings=(), jobs=1, quiet=True)
        log_progress(0, "loading")
        source, key = source_of(data, given.source, config)
        meta = compute_curves(source, data, key, given.out)
    except ConfigError as error:
        if given.source == ENCODER:  # there is nothing to compute, and that is no failure
            if not isinstance(error, MissingPackageError):  # which may be there the next time
                _save_nothing(given.out)
            say(f"there are no curves: {error.what}")
            return 0
        say(str(error))
        return 2
    except ReeltagError as error:
        say(str(error))
        return 2
    say(f"curves of {len(meta.classes):,} classes")
    return 0


def _save_nothing(out: Path) -> None:
    """Note that an encoder has no classes, so that it is not tried again."""
    meta = CurvesMeta(token="", key=ENCODER, basis="encoder", classes=(), hop_s=1.0, length_s=1.0)
    meta.save(out)


if __name__ == "__main__":
    sys.exit(main())
