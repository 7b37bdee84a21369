"""Moments that were found, next to events whose times are known: read, scored, and which are shown.

Letters in shapes: M moments or events, C classes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.seeding import derive_seed
from reeltag.data.annotation_tables import number_column, read_table
from reeltag.data.annotations import Annotations
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.evaluation.moments import Events, match_moments
from reeltag.predictions.interval_rows import Intervals

IOUS = (0.3, 0.5, 0.7)
_LEAST = 1e-9  # a probability, as a logit
_STEP = 0.1  # seconds in which agreement is counted


@dataclass(frozen=True, eq=False, kw_only=True)
class FoundMoments:
    """Moments and events of the videos that were searched.

    Attributes:
        searched: id -> seconds.
        found: the moments.
        known: the events; None: no times are known.
        names: C names of the classes.
    """

    searched: dict[str, float]
    found: Intervals
    known: Events | None
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FoundClass:
    """A class: its events and moments, and their average precision at a temporal IoU of 0.5."""

    name: str
    events: int
    moments: int
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class ShownClass:
    """A class of a shown video: known (start, end), and found (start, end, probability)."""

    name: str
    known: tuple[tuple[float, float], ...]
    found: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class ShownVideo:
    """A video over its time, and why it is shown.

    Attributes:
        id: of the video.
        seconds: its length.
        classes: those that are in it, or were found.
        why: best, worst or random.
        agreement: of the seconds that are in an event or a moment those that are in both; None:
            no times are known.
    """

    id: str
    seconds: float
    classes: tuple[ShownClass, ...]
    why: str
    agreement: float | None


def read_found(
    moments: Path, events: Path | None, data: Dataset, split: Split | None
) -> FoundMoments:
    """Return the moments of a table, and the events of another, of the videos that were searched.

    Args:
        moments: written by `reeltag moments --csv`.
        events: with the columns id (or file), start_s, end_s and class; None: none are known.
        data: whose videos they are of.
        split: that was searched; None: test, where all moments are of it, or else all videos.

    Raises:
        DataError: a table cannot be read, or has moments of other videos.
        ConfigError: the split is empty.
    """
    found = _read_moments(moments, data)
    searched = _searched(data, split or "test", set(found.ids.to_pylist()), sure=bool(split))
    lost = [name for name in pc.unique(found.ids).to_pylist() if name not in searched]
    if lost:
        raise DataError(
            f"has moments of {lost[0]!r}, which is not of the split {split!r}",
            where=moments,
            hint="Name the split that was searched.",
        )
    known = None if events is None else _read_events(events, data, set(searched))
    return FoundMoments(searched=searched, found=found, known=known, names=data.classes.names)


def _searched(data: Dataset, split: Split, ids: set[str], *, sure: bool) -> dict[str, float]:
    try:
        rows = data.rows(split)
    except ConfigError:
        if sure:
            raise
        rows = np.zeros(0, np.int64)
    names = data.table["id"].take(pa.array(rows)).to_pylist()
    seconds = data.table["frames"].to_numpy()[rows] / data.features.rate_hz
    searched = dict(zip(names, seconds.tolist(), strict=True))
    if sure or (searched and ids <= searched.keys()):
        return searched
    return _searched(data, "all", ids, sure=True)


def _read_moments(path: Path, data: Dataset) -> Intervals:
    needed = "id, class, start_s, end_s, prob (as `reeltag moments --csv` writes them)"
    try:
        rows = Annotations.read(path, "events", data.classes)
        probs = number_column(read_table(path), "prob", path, needed)
        categories = [data.classes.index_of(name, where=path) for name in rows.classes.to_pylist()]
    except DataError as error:
        if "has a header and no row" not in str(error):
            raise
        return Intervals.concatenate([])
    logits = np.log(np.clip(probs, _LEAST, 1) / np.clip(1 - probs, _LEAST, 1))
    start, end = rows.numbers["start_s"], rows.numbers["end_s"]
    return Intervals(
        ids=rows.ids,
        classes=np.array(categories, np.int32),
        start_s=start,
        end_s=end,
        peak_s=(start + end) / 2,
        scores=logits,
        mean_prob=probs,
    )


def _read_events(path: Path, data: Dataset, searched: set[str]) -> Events:
    """Return the events of the videos that were searched; ids may be names of files."""
    rows = Annotations.read(path, "events", data.classes)
    known = rows.known(data.index, data.classes)
    inside = np.array([name in searched for name in known.ids.to_pylist()], bool)
    start, end = (rows.numbers[name][known.entry][inside] for name in ("start_s", "end_s"))
    if not (end > start).all():
        raise DataError("has an event that does not end after it starts", where=path)
    ids, classes = known.ids.filter(pa.array(inside)), known.category[inside]
    return Events(ids=ids, classes=classes, start_s=start, end_s=end)


def score_found(moments: FoundMoments) -> tuple[dict[str, float], list[FoundClass]]:
    """Return mAP at temporal IoU by its name, and the classes, those with most events first.

    Args:
        moments: what was found and what is known.
    """
    size, known = len(moments.names), moments.known
    found = np.bincount(moments.found.classes, minlength=size)
    if known is None:
        listed = [
            FoundClass(name=name, events=0, moments=int(count), precision=None)
            for name, count in zip(moments.names, found, strict=True)
            if count
        ]
        return {}, sorted(listed, key=lambda each: (-each.moments, each.name))
    metric = match_moments(moments.found, known, size, IOUS)
    events = np.bincount(known.classes, minlength=size)
    at_half = metric.average_precision()[IOUS.index(0.5)].tolist()
    classes = [
        FoundClass(
            name=moments.names[c],
            events=int(events[c]),
            moments=int(found[c]),
            precision=at_half[c] if events[c] else None,
        )
        for c in np.flatnonzero(events + found).tolist()
    ]
    means = metric.per_threshold().tolist()
    scores = {f"map@tiou={at:g}": mean for at, mean in zip(IOUS, means, strict=True)}
    return scores, sorted(classes, key=lambda each: (-each.events, each.name))


def choose_found(moments: FoundMoments, *, count: int, seed: int) -> list[ShownVideo]:
    """Return videos to show: those that agree best and worst with the events, and random ones.

    Args:
        moments: what was found and what is known.
        count: of each of the three kinds; without events three times as many random ones.
        seed: random seed of the random ones.
    """
    shown = [_video(name, moments) for name in sorted(moments.searched)]
    shown = [video for video in shown if video.classes]
    rng = np.random.default_rng(derive_seed(seed, "found"))
    if moments.known is None:
        order = rng.permutation(len(shown))[: 3 * count]
        return [_as(shown[at], "random") for at in order.tolist()]
    ranked = sorted(shown, key=lambda video: (-(video.agreement or 0), video.id))
    best, rest = ranked[:count], ranked[count:]
    worst = rest[::-1][:count]
    others = rest[: len(rest) - len(worst)]
    drawn = [others[at] for at in rng.permutation(len(others))[:count].tolist()]
    kinds = (("best", best), ("worst", worst), ("random", drawn))
    return [_as(video, why) for why, videos in kinds for video in videos]


def _as(video: ShownVideo, why: str) -> ShownVideo:
    return ShownVideo(**{**vars(video), "why": why})


def _video(name: str, moments: FoundMoments) -> ShownVideo:
    """Return a video with its classes, by first appearance."""
    found, known = moments.found, moments.known
    mine = np.flatnonzero(_is_of(found.ids, name))
    spans: dict[int, list[tuple[float, float, float]]] = {}
    for at in mine.tolist():
        span = float(found.start_s[at]), float(found.end_s[at]), float(found.peak_prob[at])
        spans.setdefault(int(found.classes[at]), []).append(span)
    times: dict[int, list[tuple[float, float]]] = {}
    if known is not None:
        for at in np.flatnonzero(_is_of(known.ids, name)).tolist():
            event = float(known.start_s[at]), float(known.end_s[at])
            times.setdefault(int(known.classes[at]), []).append(event)
    classes = [
        ShownClass(
            name=moments.names[c],
            known=tuple(sorted(times.get(c, []))),
            found=tuple(sorted(spans.get(c, []))),
        )
        for c in sorted(spans.keys() | times.keys())
    ]
    first = {each.name: min([*each.known, *each.found])[0] for each in classes}
    ordered = tuple(sorted(classes, key=lambda each: (first[each.name], each.name)))
    seconds = moments.searched[name]
    agreement = None if known is None else _agreement(ordered, seconds)
    return ShownVideo(id=name, seconds=seconds, classes=ordered, why="", agreement=agreement)


def _is_of(ids: pa.Array, name: str) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(ids, name).to_numpy(zero_copy_only=False), bool)


def _agreement(classes: tuple[ShownClass, ...], seconds: float) -> float:
    """Return the intersection of known and found seconds by their union, of all classes."""
    both = either = 0
    for each in classes:
        middle = np.arange(0, seconds, _STEP) + _STEP / 2
        known, found = (
            np.any([(start <= middle) & (middle < end) for start, end, *_ in spans], axis=0)
            if spans
            else np.zeros(len(middle), bool)
            for spans in (each.known, each.found)
        )
        both, either = both + int((known & found).sum()), either + int((known | found).sum())
    return both / either if either else 0.0
