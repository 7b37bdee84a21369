"""Soft labels out of what is there already: prediction files, or other soft labels.

The out-of-fold predictions of all folds, joined, are soft labels for every training video of a
teacher that never saw that video's labels (Samsung: Samsung 2018, slides).
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.errors import DataError
from reeltag.core.files import PathLike, to_paths
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.inference.stream import Outcome, check_output
from reeltag.labels.random_keys import id_keys
from reeltag.predictions.file import Predictions, open_predictions
from reeltag.predictions.rows import Kind, PredictionRows
from reeltag.soft_labels.storage import SoftLabelInfo, open_soft_labels, soft_label_writer
from reeltag.soft_labels.teacher import to_soft_labels


def convert_predictions(
    files: Sequence[PathLike],
    data: Dataset,
    out: PathLike,
    *,
    top_k: int = 50,
    split: Split = "train",
    overwrite: bool = False,
) -> Outcome:
    """Write the predictions of whole videos of several files as one file of soft labels.

    Memory: 11 bytes of each record of the data.

    Args:
        files: of `reeltag predict`; a video is in one of them at most.
        data: that they are about.
        out: the file of soft labels to write.
        top_k: classes kept for each video.
        split: the videos that soft labels are wanted for.
        overwrite: replace `out` if it exists.

    Raises:
        DataError: a file is damaged, holds no whole videos or ids that are not in the data, a
            video is there twice, or the files are about other classes than the data.
        ConfigError: the split is empty.
        OutputError: `out` exists, or the disk is full.
    """
    files = to_paths(files)
    out = Path(out)
    check_output(out, overwrite=overwrite)
    begun = time.monotonic()
    parts = [open_predictions(path) for path in files]
    about = SoftLabelInfo(
        class_names=_class_names(parts, data),
        teacher=", ".join(map(str, files)),
        data=data.whole_location,
        split=split,
    )
    videos = _SeenVideos(data, parts)
    with soft_label_writer(out, about) as writer:
        for number, part in enumerate(parts):
            held = 0
            for rows in track(part.rows("videos"), f"reading {part.path.name}"):
                videos.see(rows, number)
                writer.write(to_soft_labels(_best(rows, top_k)))
                held += len(rows)
            if not held:
                raise DataError(
                    "holds no whole videos, and segments alone cannot be converted",
                    where=part.path,
                    hint="A prediction has a segment's best classes, a soft label all those of its "
                    "video: `reeltag soft-labels RUN --data DATA --out SOFT.parquet` writes them.",
                )
            if part.holds("segments"):
                say(f"{part.path}: only its whole videos become soft labels, not its segments")
    _log_found(videos, data, split)
    return _outcome(out, "videos", videos.count, begun)


def draw_soft_labels(
    source: PathLike,
    out: PathLike,
    per_class: int,
    *,
    segment_classes: tuple[int, ...] = (),
    keep_outside: bool = False,
    overwrite: bool = False,
) -> Outcome:
    """Write the class-equal draw of a file of soft labels as another one.

    Args:
        source: file of soft labels of segments.
        out: the file to write.
        per_class: segments drawn for each class, of those that were drawn for it.
        segment_classes: that are drawn for; empty = those that `source` names.
        keep_outside: draw for all classes.
        overwrite: replace `out` if it exists.

    Raises:
        DataError: `source` is damaged, or holds nothing to draw from.
        OutputError: `out` exists, or the disk is full.
    """
    source = Path(source)
    out = Path(out)
    check_output(out, overwrite=overwrite)
    begun, file = time.monotonic(), open_soft_labels(source)
    classes = segment_classes or file.info.segment_classes
    about = dataclasses.replace(file.info, segment_classes=classes, per_class=per_class)
    file = dataclasses.replace(file, info=about)
    written = 0
    with soft_label_writer(out, about) as writer:
        for rows in file.drawn(per_class, keep_outside=keep_outside):
            writer.write(rows)
            written += len(rows)
    return _outcome(out, "segments", written, begun)


def _outcome(out: Path, kind: Kind, count: int, begun: float) -> Outcome:
    seconds = time.monotonic() - begun
    return Outcome(path=out, videos=count, rows={kind: count}, resumed_at=0, seconds=seconds)


class _SeenVideos:
    """The videos of the data that the prediction files are about, each once."""

    def __init__(self, data: Dataset, parts: Sequence[Predictions]) -> None:
        self._parts, self._data = parts, data
        keys = id_keys(data.table["id"].to_pylist(), 0, "joining")
        self.keys, self.number = np.unique(keys, return_inverse=True)
        self.file = np.full(len(self.keys), -1, np.int16)  # that each video is in

    @property
    def count(self) -> int:
        """Number of videos that are in a file."""
        return int((self.file >= 0).sum())

    def see(self, rows: PredictionRows, number: int) -> None:
        """Record the videos of rows of file `number`; DataError where unknown or seen before."""
        names = rows.ids.to_pylist()
        keys = id_keys(names, 0, "joining")
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        if not known.all():
            raise DataError(
                f"holds ids that are not in {self._data.path}: {_shown(names, ~known)}",
                where=self._parts[number].path,
                hint="Give the data that the predictions are about with --data.",
            )
        again = self.file[place] >= 0
        inside = np.ones(len(place), bool)
        inside[np.unique(place, return_index=True)[1]] = False
        if (again | inside).any():
            at = int((again | inside).argmax())
            other = self.file[place[at]]
            where = "twice" if other in (-1, number) else f"also in {self._parts[other].path}"
            raise DataError(
                f"the video {names[at]!r} is there {where}",
                where=self._parts[number].path,
                hint="Each video can have one row: out-of-fold files share none (--fold.hold-out).",
            )
        self.file[place] = number


def _best(rows: PredictionRows, top_k: int) -> PredictionRows:
    return rows.keep(rows.place_in_row() < top_k)


def _class_names(parts: Sequence[Predictions], data: Dataset) -> tuple[str, ...]:
    """Return the names of the classes; DataError where files or data have other classes."""
    classes, where = data.classes, data.path
    if classes.inferred:
        classes, where = ClassList.numbered(parts[0].info.num_classes), parts[0].path
    for part in parts:
        own = ClassList.numbered(part.info.num_classes)
        own.check_same(classes, where=part.path, other_where=where)
    return classes.names


def _log_found(videos: _SeenVideos, data: Dataset, split: Split) -> None:
    wanted = np.zeros(len(videos.keys), bool)
    wanted[videos.number[data.rows(split)]] = True
    there = int((videos.file[wanted] >= 0).sum())
    say(f"{there:,} of the {wanted.sum():,} videos of the split {split!r} have soft labels")


def _shown(names: Sequence[str], which: NDArray[np.bool_]) -> str:
    chosen = [names[at] for at in np.flatnonzero(which)[:4]]
    return ", ".join(map(repr, chosen[:3])) + (", ..." if len(chosen) > 3 else "")
