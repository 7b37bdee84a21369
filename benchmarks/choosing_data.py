"""Reels and mosaics whose truth is known in every window and class: to simulate a person who rates.

A window is 5 s, its features are the mean of its frames. Of reels, the events that people marked in
the clips that they are made of say which classes are in a window: those that sound for 0.5 s; a
class that sounds for less is unclear, and is not asked about. Of mosaics, the clip that fills
a window is the one whose mean features are nearest, and its labels are the classes. Every rating
that is written in the records has to agree, but for 5 of 1,000 (clips that are equal, times that
are rounded), and then counts.

Letters in shapes: N windows, V videos, C classes, D values, Q ratings.
"""

import glob
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.moments_quality import events_of_clips
from benchmarks.proofs import COMPOSED
from reeltag.core.console import say, track
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.data.shards import read_record
from reeltag.data.splits import Split

WINDOW = 5  # frames, seconds
SURE = 0.5  # seconds of a window in which a class has to sound
UNCLEAR = -1
AGREE = 0.995  # of the ratings in the records


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Windows of the videos of a split.

    Attributes:
        values: (N, D) float32, of mean 0 and variance 1 over the training windows, then of norm 1.
        videos: (N,) in [0, V).
        labels: (V, C) bool, noisy, of whole videos.
        truth: (N, C) 1, 0, or `UNCLEAR`; None = not known, of training videos.
        rated_windows: (Q,) of the ratings in the records.
        rated_classes: (Q,) in [0, C).
        rated_values: (Q,) bool.
    """

    values: NDArray[np.float32]
    videos: NDArray[np.int64]
    labels: NDArray[np.bool_]
    truth: NDArray[np.int8] | None
    rated_windows: NDArray[np.int64]
    rated_classes: NDArray[np.int64]
    rated_values: NDArray[np.bool_]


def read_splits(kind: str, root: Path, source: Path) -> dict[Split, Windows]:
    """Return the windows of all three splits, of the classes that are rated in the test split.

    Args:
        kind: "reels" or "mosaics".
        root: that they were composed into.
        source: folder of the data that they were composed of.
    """
    data = Dataset.open(root, quiet=True)
    bounds, rated = lists_of(data.table, "segment_labels")
    rows = data.rows("test")
    classes = np.unique(np.concatenate([rated[bounds[r] : bounds[r + 1]] for r in rows]))
    splits: tuple[Split, ...] = ("train", "validate", "test")
    raw = {split: _raw(data, split) for split in splits}
    mean, deviation = raw["train"][0].mean(0), raw["train"][0].std(0)
    found = {}
    for split in splits:
        values, videos, frames = raw[split]
        truth = None
        if split != "train":
            know = _reel_truth if kind == "reels" else _mosaic_truth
            truth = know(frames, source, classes, values, split)
        scaled = (values - mean) / (deviation + 1e-6)
        scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-6)
        found[split] = _windows(data, split, classes, scaled.astype(np.float32), videos, truth)
    return found


def _raw(
    data: Dataset, split: Split
) -> tuple[NDArray[np.float32], NDArray[np.int64], list[NDArray[np.uint8]]]:
    """Return means (N, D) of windows, their videos (N,), and the frames of each (5, D)."""
    means, owners, frames = [], [], []
    for number, row in enumerate(track(data.rows(split).tolist(), f"reading {split}")):
        record = read_record(data.index, row)
        count = len(next(iter(record.values()))) // WINDOW
        values = np.concatenate(
            [
                each.dequantise(record[each.name][: count * WINDOW])
                for each in data.features.streams
            ],
            axis=1,
        )
        means.append(values.reshape(count, WINDOW, -1).mean(1))
        owners.append(np.full(count, number))
        if split != "train" and len(record) == 1:
            codes = next(iter(record.values()))
            frames += [codes[begin : begin + WINDOW] for begin in range(0, count * WINDOW, WINDOW)]
    return np.concatenate(means), np.concatenate(owners), frames


def _reel_truth(
    frames: list[NDArray[np.uint8]],
    source: Path,
    classes: NDArray[np.int64],
    values: NDArray[np.float32],
    split: Split,
) -> NDArray[np.int8]:
    """Return (N, C) by the marked events of the clip that two windows are."""
    number = {int(c): at for at, c in enumerate(classes)}
    clips = events_of_clips(source / "audioset")
    truth = np.zeros((len(frames), len(classes)), np.int8)
    for row in range(len(frames)):
        first = row - row % 2  # reels are whole clips, of two windows
        begin = (row - first) * WINDOW
        for c, start, end in clips[np.concatenate(frames[first : first + 2]).tobytes()]:
            seconds = min(end, begin + WINDOW) - max(start, begin)
            if c in number and seconds >= SURE:
                truth[row, number[c]] = 1
            elif c in number and seconds > 0 and truth[row, number[c]] == 0:
                truth[row, number[c]] = UNCLEAR
    return truth


def _mosaic_truth(
    frames: list[NDArray[np.uint8]],
    source: Path,
    classes: NDArray[np.int64],
    values: NDArray[np.float32],
    split: Split,
) -> NDArray[np.int8]:
    """Return (N, C) by the labels of the nearest video mean among those of the split."""
    pattern = COMPOSED["mosaics"][split].split()[1].format(videos=source / "yt8m" / "video")
    data = Dataset.open(source / "yt8m" / "video", quiet=True)
    names = {Path(path).name for path in glob.glob(pattern)}
    shards = [at for at, name in enumerate(data.shards) if Path(name).name in names]
    inside = np.isin(data.table["shard"].to_numpy(), shards)
    means, labels = [], np.zeros((int(inside.sum()), len(classes)), np.int8)
    bounds, listed = lists_of(data.table, "labels")
    for at, row in enumerate(track(np.flatnonzero(inside).tolist(), "reading means")):
        means.append(np.concatenate([*read_record(data.index, row).values()], axis=1)[0])
        labels[at] = np.isin(classes, listed[bounds[row] : bounds[row + 1]])
    centres = torch.from_numpy(np.stack(means).astype(np.float32))
    nearest = [
        torch.cdist(part, centres).argmin(1) for part in torch.from_numpy(values).split(2000)
    ]
    return np.asarray(labels[torch.cat(nearest).numpy()], np.int8)


def _windows(
    data: Dataset,
    split: Split,
    classes: NDArray[np.int64],
    values: NDArray[np.float32],
    videos: NDArray[np.int64],
    truth: NDArray[np.int8] | None,
) -> Windows:
    """Return a split with its labels and the ratings of its records."""
    rows = data.rows(split)
    bounds, listed = lists_of(data.table, "labels")
    labels = np.stack([np.isin(classes, listed[bounds[r] : bounds[r + 1]]) for r in rows])
    first = np.searchsorted(videos, np.arange(len(rows)))
    starts, rated, scores = (
        lists_of(data.table, f"segment_{name}") for name in ("starts", "labels", "scores")
    )
    of = [(at, slice(starts[0][r], starts[0][r + 1])) for at, r in enumerate(rows)]
    window = np.concatenate([first[at] + starts[1][part] // WINDOW for at, part in of])
    category = np.concatenate([rated[1][part] for _, part in of])
    value = np.concatenate([scores[1][part] > 0 for _, part in of])
    known = np.isin(category, classes)
    number = np.searchsorted(classes, category[known])
    windows = Windows(
        values=values,
        videos=videos,
        labels=labels,
        truth=truth,
        rated_windows=window[known].astype(np.int64),
        rated_classes=number,
        rated_values=value[known],
    )
    if truth is not None:
        agree = truth[windows.rated_windows, number] == windows.rated_values
        say(f"{split}: {len(values)} windows, {agree.mean():.4f} of {len(agree)} ratings agree")
        if agree.mean() < AGREE:
            raise RuntimeError(f"{split}: {(~agree).sum()} ratings are not those of the truth")
        truth[windows.rated_windows, number] = windows.rated_values
    return windows
