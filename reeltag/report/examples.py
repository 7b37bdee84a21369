"""Single videos to look at: how scores run over time, and which tags come out on top.

Neither is chosen by how well it came out, and the page says how it was.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.data.selection import Records
from reeltag.inference.predictions import Predictions
from reeltag.report.facts import Pairs, probability, rows_of

NUM_TIMELINES = 4
NUM_CLASSES = 3  # lines in a timeline
NUM_TAGGED, NUM_TAGS = 8, 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One class in one video.

    Attributes:
        label: the class.
        starts: (S,) first seconds of the segments, rising.
        chances: (S,) probabilities, NaN where the class was not among the segment's best.
        rated: (start, positive) of the rated segments.
        shown: [start, end) intervals in which the class truly shows, where that is known.
    """

    label: int
    starts: NDArray[np.int64]
    chances: NDArray[np.float64]
    rated: tuple[tuple[int, bool], ...]
    shown: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The rated classes of one video over its time; `seconds` is its length."""

    id: str
    seconds: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """One video's best classes with probability and whether they are labels; labels not listed."""

    id: str
    seconds: int
    tags: tuple[tuple[int, float, bool], ...]
    missed: tuple[int, ...]


def timelines(predictions: Predictions, records: Records, data: Path) -> list[Timeline]:
    """Return the four videos with the most segment ratings among those with both kinds.

    Of each video the classes with the most ratings are shown, three at most. Empty where the
    file holds no segments, or nobody rated any.
    """
    chosen = _most_rated(records)
    ids = records.table["id"].combine_chunks().take(pa.array(chosen, pa.int64()))
    found: dict[int, list[tuple[int, NDArray[np.int32], NDArray[np.float32]]]] = {}
    for rows in predictions.rows("segments") if chosen else ():
        assert rows.starts is not None
        place = rows_of(rows.ids, ids)
        for row in np.flatnonzero(place >= 0):
            pairs = slice(rows.offsets[row], rows.offsets[row + 1])
            scored = (int(rows.starts[row]), rows.classes[pairs], rows.scores[pairs])
            found.setdefault(chosen[place[row]], []).append(scored)
    truth = _read_truth(data, {ids[place].as_py() for place in range(len(ids))})
    lines = []
    for video in chosen:
        if video in found:
            scored_segments = sorted(found[video], key=lambda scored: scored[0])
            lines.append(_timeline(records, video, scored_segments, truth))
    return lines[:NUM_TIMELINES]


def tagged(pairs: Pairs, records: Records) -> list[Tagged]:
    """Return eight predicted videos at equal distances in the split, with their best classes."""
    predicted = np.flatnonzero(pairs.predicted)
    places = np.linspace(0, len(predicted) - 1, min(NUM_TAGGED, len(predicted))).astype(int)
    ids, frames = records.table["id"], records.column("frames")
    offsets, labels = records.lists("labels")
    rows = []
    for video in predicted[places]:
        mine = np.flatnonzero(pairs.videos == video)
        best = mine[np.argsort(-pairs.scores[mine], kind="stable")][:NUM_TAGS]
        chances = probability(pairs.scores[best])
        listed = pairs.classes[best].tolist()
        tags = zip(listed, chances.tolist(), pairs.hits[best].tolist(), strict=True)
        true = labels[offsets[video] : offsets[video + 1]].tolist()
        rows.append(
            Tagged(
                id=ids[int(video)].as_py(),
                seconds=int(frames[video]),
                tags=tuple(tags),
                missed=tuple(label for label in true if label not in listed),
            )
        )
    return rows


def _most_rated(records: Records) -> list[int]:
    """Return rows of videos with positive and negative ratings, most first; twice as many."""
    offsets, scores = records.lists("segment_scores")
    rated = []
    for video in np.flatnonzero(np.diff(offsets)):
        mine = scores[offsets[video] : offsets[video + 1]] > 0
        if mine.any() and not mine.all():
            rated.append((-len(mine), int(video)))
    return [video for _, video in sorted(rated)[: 2 * NUM_TIMELINES]]


def _timeline(
    records: Records,
    video: int,
    scored: list[tuple[int, NDArray[np.int32], NDArray[np.float32]]],
    truth: dict[str, dict[int, list[tuple[int, int]]]],
) -> Timeline:
    name = records.table["id"][video].as_py()
    offsets, labels = records.lists("segment_labels")
    mine = slice(offsets[video], offsets[video + 1])
    labels = labels[mine]
    starts, scores = (
        records.lists("segment_starts")[1][mine],
        records.lists("segment_scores")[1][mine],
    )
    classes, counts = np.unique(labels, return_counts=True)
    lines = []
    for label in classes[np.argsort(-counts, kind="stable")][:NUM_CLASSES].tolist():
        chances = np.full(len(scored), np.nan)
        for place, (_, listed, logits) in enumerate(scored):
            at = np.flatnonzero(listed == label)
            if len(at):
                chances[place] = probability(logits[at[:1]])[0]
        rated = zip(
            starts[labels == label].tolist(), (scores[labels == label] > 0).tolist(), strict=True
        )
        lines.append(
            Line(
                label=label,
                starts=np.array([start for start, _, _ in scored]),
                chances=chances,
                rated=tuple(rated),
                shown=tuple(truth.get(name, {}).get(label, ())),
            )
        )
    return Timeline(id=name, seconds=int(records.column("frames")[video]), lines=tuple(lines))


def _read_truth(data: Path, ids: set[str]) -> dict[str, dict[int, list[tuple[int, int]]]]:
    """Return id -> class -> intervals of a synthetic corpus's truth.csv, or {} without one."""
    path = (data if data.is_dir() else data.parent) / "truth.csv"
    found: dict[str, dict[int, list[tuple[int, int]]]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["id"] in ids:
                    shown = found.setdefault(row["id"], {}).setdefault(int(row["class"]), [])
                    shown.append((int(row["start_s"]), int(row["end_s"])))
    return found
