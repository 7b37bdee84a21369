"""Single videos that the page shows: which, and their scores over time."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.probability import sigmoid
from reeltag.core.seeding import derive_seed
from reeltag.data.class_list import folder_of
from reeltag.evaluation.truth import Truth
from reeltag.report.evaluated import EvaluatedFile, SegmentFacts, labels_of
from reeltag.report.facts import rows_of

NUM_CLASSES = 3  # traces in a timeline
LEAST_RATINGS = 4  # of a video that is shown, where enough have them
LEAST = 1e-4  # probability of a class that a segment does not keep

Segment = tuple[float, float, NDArray[np.int32], NDArray[np.float32]]  # start, end, classes


@dataclass(frozen=True, kw_only=True)
class ClassTrace:
    """A class over the time of a video.

    Attributes:
        label: the class.
        times: (S, 2) seconds at which each segment begins and ends, rising.
        probs: (S,) probabilities, NaN where the class was not among the segment's best.
        rated: (start, end, positive) of the rated windows.
        present: [start, end) intervals in which the class is really there, where that is known.
    """

    label: int
    times: NDArray[np.float64]
    probs: NDArray[np.float64]
    rated: tuple[tuple[float, float, bool], ...]
    present: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChosenVideo:
    """A video (its number in the truth), why it is shown, and its mean log loss in nats."""

    video: int
    why: str
    loss: float


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The rated classes of one video over its time; `seconds` is its length."""

    id: str
    seconds: float
    traces: tuple[ClassTrace, ...]
    labels: tuple[int, ...]
    why: str
    loss: float


def choose(
    file: EvaluatedFile,
    facts: SegmentFacts,
    *,
    count: int,
    seed: int,
    wanted: Sequence[str] = (),
) -> list[ChosenVideo]:
    """Return the videos to show: the wanted ones, then the best, the worst, and random ones.

    The best have the lowest mean log loss of their ratings, where a class that a segment does not
    hold counts with a probability of 0.01 %. They are chosen among the videos with four ratings or
    more, of both kinds; where these are too few, with both kinds; else with a scored rating.

    Args:
        file: predictions and truth.
        facts: the scores of the ratings.
        count: of each of the three kinds.
        seed: of the random ones.
        wanted: ids of further videos.

    Raises:
        ConfigError: an id that is wanted has no rating, or is not there.
    """
    truth, videos = file.truth, file.truth.ratings.video_of_rating()
    probs = np.nan_to_num(sigmoid(facts.scores), nan=0.0).clip(LEAST, 1 - LEAST)
    nats = -np.log(np.where(truth.ratings.is_positive, probs, 1 - probs))
    number = np.bincount(videos, minlength=len(truth))
    loss = np.bincount(videos, nats, minlength=len(truth)) / np.maximum(number, 1)
    scored = np.bincount(videos[~np.isnan(facts.scores)], minlength=len(truth)) > 0
    positive = np.bincount(videos[truth.ratings.is_positive], minlength=len(truth))
    both = scored & (positive > 0) & (positive < number)
    many = both & (number >= LEAST_RATINGS)
    enough = [of for of in (many, both) if of.sum() >= 3 * count]
    candidates = np.flatnonzero(enough[0] if enough else scored)
    rising = candidates[np.argsort(loss[candidates], kind="stable")]
    kinds = [("chosen", _wanted(truth, number, wanted)), ("best", rising[:count])]
    kinds.append(("worst", rising[count:][::-1][:count]))
    others = rising[count : len(rising) - count]
    drawn = np.random.default_rng(derive_seed(seed, "examples")).permutation(len(others))[:count]
    kinds.append(("random", others[drawn]))
    return [
        ChosenVideo(video=int(video), why=why, loss=float(loss[video]))
        for why, chosen in kinds
        for video in chosen
    ]


def timelines(file: EvaluatedFile, chosen: Sequence[ChosenVideo]) -> list[Timeline]:
    """Return the scores over time of these videos, in one pass over the file.

    Of each video the classes with the most ratings are shown, three at most.
    """
    truth = file.truth
    ids = truth.ids.take(pa.array([one.video for one in chosen], pa.int64()))
    found: dict[int, list[Segment]] = {}
    for rows in file.predictions.rows("segments") if chosen else ():
        place = rows_of(rows.ids, ids)
        for row in np.flatnonzero(place >= 0).tolist():
            pairs = slice(rows.indptr[row], rows.indptr[row + 1])
            times = float(rows.starts[row]), float(rows.ends[row])
            segment = *times, rows.classes[pairs].copy(), rows.scores[pairs].copy()
            found.setdefault(chosen[place[row]].video, []).append(segment)
    present = _read_truth(folder_of(file.data.path), set(ids.to_pylist()))
    return [
        _timeline(file, one, sorted(found.get(one.video, []), key=lambda of: of[:2]), present)
        for one in chosen
    ]


def _wanted(truth: Truth, number: NDArray[np.int64], wanted: Sequence[str]) -> NDArray[np.int64]:
    found = truth.videos_of(pa.array(wanted, pa.string()))
    for id_, video in zip(wanted, found, strict=True):
        if video < 0 or not number[video]:
            raise ConfigError(
                f"the video {id_!r} {'is not there' if video < 0 else 'has no rated segment'}",
                where="--videos",
                hint="Give ids of videos with rated segments that were predicted.",
            )
    return found


def _timeline(
    file: EvaluatedFile,
    one: ChosenVideo,
    scored: list[Segment],
    truth: dict[str, dict[int, list[tuple[int, int]]]],
) -> Timeline:
    name, ratings = file.truth.ids[one.video].as_py(), _ratings(file.truth, one.video)
    classes, counts = np.unique([label for label, *_ in ratings], return_counts=True)
    traces = []
    for label in classes[np.argsort(-counts, kind="stable")][:NUM_CLASSES].tolist():
        probs = np.full(len(scored), np.nan)
        for place, (*_, listed, logits) in enumerate(scored):
            at = np.flatnonzero(listed == label)
            if len(at):
                probs[place] = sigmoid(logits[at[:1]])[0]
        traces.append(
            ClassTrace(
                label=label,
                times=np.array([of[:2] for of in scored], np.float64).reshape(-1, 2),
                probs=probs,
                rated=tuple((a, b, yes) for other, a, b, yes in ratings if other == label),
                present=tuple(truth.get(name, {}).get(label, ())),
            )
        )
    return Timeline(
        id=name,
        seconds=float(file.seconds[one.video]),
        traces=tuple(traces),
        labels=tuple(labels_of(file.truth, one.video).tolist()),
        why=one.why,
        loss=one.loss,
    )


def _ratings(truth: Truth, video: int) -> list[tuple[int, float, float, bool]]:
    """Return class, start, end and whether it is positive, of each rating of a video."""
    rated = truth.ratings.slice(*np.searchsorted(truth.ratings.videos, [video, video + 1]).tolist())
    row = rated.row_of_entry()
    columns = rated.classes, rated.starts[row], rated.ends[row], rated.is_positive
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _read_truth(folder: Path, ids: set[str]) -> dict[str, dict[int, list[tuple[int, int]]]]:
    """Return id -> class -> intervals of a synthetic corpus's truth.csv, or {} without one."""
    path = folder / "truth.csv"
    found: dict[str, dict[int, list[tuple[int, int]]]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["id"] in ids:
                    shown = found.setdefault(row["id"], {}).setdefault(int(row["class"]), [])
                    shown.append((int(row["start_s"]), int(row["end_s"])))
    return found
