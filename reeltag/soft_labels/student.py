"""Training on soft labels of a teacher, in addition to the labels of the data.

Segments are added to the rated ones (OPPO: OPPO 2019 sec. 3.2); the labels of whole videos
are mixed with the teacher's (Samsung and Axon: docs/reference/departures.md). Both are done
once, on the index; nothing is looked up in a training step.

Shape letters: N items, S soft segments, C classes.
"""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core import console
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.sparse import from_cells
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet, windows_of
from reeltag.data.splits import Split
from reeltag.labels.targets import Targets
from reeltag.predictions.rows import WHOLE_VIDEO, window_keys
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.soft_labels.storage import SoftLabelFile, SoftLabelRows, open_soft_labels

_CLASSES = "Take soft labels of a teacher that was trained on the classes of these data."
_HINT = "Take the soft labels of these data, or add --soft.ignore-unknown to leave such rows out."
_AT_ONCE = 1 << 16  # videos whose labels are mixed: so that only the result grows with the data
_EVALUATION: tuple[Split, ...] = ("validate", "test")


def soft_segments(
    data: Dataset,
    soft: SoftLabelConfig,
    *,
    streams: tuple[str, ...] | None = None,
    held_out: NDArray[np.bool_] | None = None,
) -> VideoSet:
    """Return the soft segments, to be trained on in addition to the rated ones.

    The targets of a soft segment are the classes that the teacher scored, with weight `soft.weight`
    (1); all others have weight 0. It may be of any shard of the data but validation and test.

    Args:
        data: whose training split is trained on.
        soft: which soft labels; `soft.used`.
        streams: to read; None takes all.
        held_out: (R,) rows of the data's table that are not to be trained on; None = all are.

    Raises:
        DataError: the file is damaged, or what it holds does not belong to the data.
        ConfigError: it holds no segments, or segments of validation or test videos.
    """
    file, rows = _read(soft, data, segments=True)
    rows, row = _known(rows, data, soft, file)
    _check_leak(rows, data, file)
    if held_out is not None:
        fold = data.table["id"].filter(pa.array(held_out)).combine_chunks()
        kept = ~pc.is_in(rows.ids, value_set=fold).to_numpy(zero_copy_only=False)
        _log(f"{(~kept).sum():,} soft segments are of the held-out fold and left out")
        rows, row = rows.where(kept), row[kept]
    if not len(rows):
        raise ConfigError("no soft segment is left to train on", where=file.path)
    found = np.flatnonzero(np.bincount(row))
    records = data.select("all", streams=streams, rows=found)
    video = np.searchsorted(found, row)
    order = np.lexsort((rows.ends, rows.starts, video))
    weight = None if soft.weight == 1 else np.full(len(rows.probs), soft.weight, np.float32)
    targets = Targets(rows.indptr, rows.classes, rows.probs, weight, unlisted_weight=0.0)
    times = np.stack([rows.starts, rows.ends], axis=1)[order]
    _log(f"{len(video):,} soft segments in addition to the rated ones")
    return windows_of(records, video[order], times, targets.take(order))


def with_soft_videos(items: VideoSet, soft: SoftLabelConfig) -> VideoSet:
    """Return whole videos whose targets are w * soft + (1 - w) * label where there are soft ones.

    A class that the teacher does not list has the soft label 0. A video without soft labels keeps
    its own; their number is logged. w = 0 changes nothing.

    Args:
        items: whole videos with labels.
        soft: which soft labels; `soft.used`.

    Raises:
        DataError: the file is damaged, or what it holds does not belong to the data.
        ConfigError: it holds no whole videos.
    """
    file, rows = _read(soft, items.dataset, segments=False)
    _known(rows, items.dataset, soft, file)
    ids = items.records.table["id"].combine_chunks()
    soft_row = pc.fill_null(pc.index_in(ids, value_set=rows.ids), -1).to_numpy()[items.video]
    has_soft = soft_row >= 0
    hard, of_teacher = items.targets, Targets(rows.indptr, rows.classes, rows.probs)
    assert hard is not None
    mixed = []
    for first in range(0, len(items), _AT_ONCE):
        some = np.arange(first, min(first + _AT_ONCE, len(items)))
        mixed.append(
            _mixed_targets(
                hard.take(some), of_teacher, soft_row[some], soft.weight, items.num_classes
            )
        )
    _log(
        f"{has_soft.sum():,} of {len(items):,} training videos have soft labels"
        + ("" if has_soft.all() else "; the others keep their own labels")
    )
    return dataclasses.replace(items, targets=Targets.concatenate(mixed))


def _mixed_targets(
    hard: Targets, soft: Targets, soft_row: NDArray[np.int64], weight: float, num_classes: int
) -> Targets:
    """Return the targets of N videos; `soft_row` (N,) is the row of each in `soft`, -1 for none."""
    of_hard, mine = hard.row_of_entry(), np.flatnonzero(soft_row >= 0)
    place, entry = soft.entries_of(soft_row[mine])
    weight_E = np.where(soft_row >= 0, 1 - weight, 1.0)[of_hard]
    keys = np.concatenate(
        [of_hard * num_classes + hard.classes, mine[place] * num_classes + soft.classes[entry]]
    )
    values = np.concatenate([weight_E * hard.entry_values(), weight * soft.at(entry)[0]])
    unique, where = np.unique(keys, return_inverse=True)
    summed = np.bincount(where, weights=values, minlength=len(unique)).astype(np.float32)
    kept = summed > 0
    return Targets(
        *from_cells(unique[kept], len(hard), num_classes),
        np.minimum(summed[kept], np.float32(1)),
        unlisted_weight=hard.unlisted_weight,
        class_mask=hard.class_mask,
    )


def _read(
    soft: SoftLabelConfig, data: Dataset, *, segments: bool
) -> tuple[SoftLabelFile, SoftLabelRows]:
    """Return the file and its rows of segments, or of whole videos, some drawn by `soft.equal`."""
    file = open_soft_labels(Path(soft.file))
    classes = ClassList(tuple(file.info.class_names))
    classes.check_same(data.classes, where=file.path, other_where=data.location, hint=_CLASSES)
    every: Iterable[SoftLabelRows] = file.rows()
    if soft.equal:
        every = file.drawn(soft.equal, keep_outside=soft.keep_outside)
    rows = SoftLabelRows.concatenate(
        part.where((part.starts != WHOLE_VIDEO) == segments) for part in every
    )
    if not len(rows):
        kinds = ("segment", "videos") if segments else ("whole video", "segments")
        raise ConfigError(
            f"holds no row of a {kinds[0]}",
            where=file.path,
            hint=f"Its rows are for --items {kinds[1]}.",
        )
    beyond = rows.classes >= data.num_classes
    if beyond.any():
        raise DataError(
            f"has the class {rows.classes[beyond.argmax()]}; the data have {data.num_classes}",
            where=file.path,
            hint=_CLASSES,
        )
    return file, rows


def _known(
    rows: SoftLabelRows, data: Dataset, soft: SoftLabelConfig, file: SoftLabelFile
) -> tuple[SoftLabelRows, NDArray[np.int64]]:
    """Return the rows that belong to the data, and the row of the index of each.

    Of several records with the same id the first usable one counts.
    """
    usable = np.flatnonzero(~data.table["skip"].to_numpy())
    ids = data.table["id"].take(pa.array(usable)).combine_chunks()
    found = pc.fill_null(pc.index_in(rows.ids, value_set=ids), -1).to_numpy()
    there = found >= 0
    row = usable[found]
    seconds = data.table["frames"].to_numpy()[row] / data.features.rate_hz
    beyond = there & (rows.starts >= seconds)
    for bad, what in (
        (~there, "are of ids that are not in the data"),
        (beyond, "begin after the end of their video"),
    ):
        if not bad.any():
            continue
        shown = pc.unique(rows.ids.filter(pa.array(bad))).to_pylist()
        names = ", ".join(map(repr, shown[:3])) + (", ..." if len(shown) > 3 else "")
        text = f"{bad.sum():,} of {len(rows):,} soft labels {what}: {names}"
        if not soft.ignore_unknown:
            raise DataError(text, where=file.path, hint=_HINT)
        _log(f"{file.path}: {text}; they are left out")
    kept = there & ~beyond
    if not kept.all():
        rows, row = rows.where(kept), row[kept]
    _check_distinct(rows, row, file)
    return rows, row


def _check_distinct(rows: SoftLabelRows, row: NDArray[np.int64], file: SoftLabelFile) -> None:
    """Raise DataError where two rows are about the same thing."""
    keys = window_keys(row, rows.starts, rows.ends)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    if same.any():
        at = int(order[same.argmax()])
        raise DataError(
            f"has more than one row for {rows.row_name(at)}",
            where=file.path,
            hint="Write the file again with `reeltag soft-labels`.",
        )


def _check_leak(rows: SoftLabelRows, data: Dataset, file: SoftLabelFile) -> None:
    """Raise ConfigError where a soft segment is of a validation or test video."""
    shard = data.table["shard"].to_numpy()
    for split in _EVALUATION:
        try:
            shards = data.shards_of(split)
        except ConfigError:  # no shard is of that split
            continue
        evaluated = data.table["id"].filter(pa.array(np.isin(shard, shards)))
        leaked = pc.is_in(rows.ids, value_set=evaluated.combine_chunks())
        if leaked.true_count:
            raise ConfigError(
                f"{leaked.true_count:,} soft segments are of videos of the split {split!r}, the "
                f"first of {rows.ids.filter(leaked)[0].as_py()!r}: they would be trained on",
                where=file.path,
                hint="Soft-label training videos only: `reeltag soft-labels RUN --split train`.",
            )


def _log(text: str) -> None:
    """Log a line, in the first of several processes alone."""
    if int(os.environ.get("RANK", 0)) == 0:
        console.say(text)
