"""FiftyOne: datasets of temporal detections on disk, one of moments and one of ratings.

FOLDER/labels.json has the moments of each video, with timestamps in seconds and confidence,
FOLDER/ground_truth.json the windows that people rated as right; FOLDER/data.json says where the
files are. Both become fields of one dataset, predictions and ground_truth: docs/how-to/exports.md.

Source: FiftyOne, "Loading data", FiftyOneTemporalDetectionDataset, and its importer: a label is a
name, or a number of `classes`; a key is a file's name without its ending.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike
from reeltag.core.text import json_text
from reeltag.data.rating_table import Rating
from reeltag.deploy.moment_formats.contract import (
    DEFAULT_FPS,
    ExportedMoment,
    MomentExport,
    MomentFormat,
    exact_rate,
)
from reeltag.deploy.moment_formats.names import file_stems, write_text
from reeltag.deploy.moment_formats.verdicts import GivenRating

LABELS, TRUTH, FILES = "labels.json", "ground_truth.json", "data.json"
_IS_THERE = 0.5  # value of a rating from which on a class is there


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write labels.json, ground_truth.json where something is rated, and data.json.

    A rated video in which nothing is there has an empty list. Where files of some videos are known,
    the others are left out.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Videos whose files are unknown, and ratings that the format cannot hold.
    """
    rated = _by_video(export.ratings)
    every = sorted({*export.by_video, *rated})
    known = [video for video in every if export.file_of(video).path]
    chosen = known or every
    if not chosen:
        return []
    stems = file_stems(chosen)
    moments = {stems[v]: _detections(export.by_video[v]) for v in chosen if v in export.by_video}
    truth = {stems[v]: _windows(rated[v], export) for v in chosen if v in rated}
    for name, labels in ((LABELS, moments), (TRUTH, truth)):
        if labels or name == LABELS:
            _write(folder / name, {"classes": list(export.class_names), "labels": labels})
    wrong = sum(rating.value < _IS_THERE for v in chosen for rating in rated.get(v, []))
    notes = [f"{wrong:,} ratings that a class is not there are left out"] if wrong else []
    if not known:
        place = "the files of the videos are unknown: put them into a folder data/ next to"
        return [f"{place} {LABELS}, named as in it", *notes]
    paths = {video: export.file_of(video).path for video in known}
    _write(folder / FILES, {_key(stems[video], path): path for video, path in paths.items()})
    unknown = len(every) - len(known)
    lost = [f"{unknown:,} videos are left out, for their files are unknown"] if unknown else []
    return [*lost, *notes]


def _by_video(ratings: Sequence[Rating]) -> dict[str, list[Rating]]:
    videos: dict[str, list[Rating]] = {}
    for rating in ratings:
        videos.setdefault(rating.id, []).append(rating)
    return videos


def _detections(moments: list[ExportedMoment]) -> list[dict[str, Any]]:
    return [
        {
            "label": moment.name,
            "timestamps": [moment.start_s, moment.end_s],
            "confidence": moment.prob,
        }
        for moment in moments
    ]


def _windows(ratings: list[Rating], export: MomentExport) -> list[dict[str, Any]]:
    return [
        {
            "label": export.class_names[rating.category],
            "timestamps": [rating.start_s, rating.end_s],
        }
        for rating in sorted(ratings, key=lambda rating: rating[1:4])
        if rating.value >= _IS_THERE
    ]


def _key(stem: str, path: str) -> str:
    """Return the stem with an ending, for FiftyOne drops that of keys; an id may be a path."""
    return stem + (PurePath(path).suffix or ".mp4")


def _write(path: Path, value: object) -> None:
    write_text(path, json_text(value, indent=1, allow_nan=False) + "\n")


def read(path: PathLike, fps: float = DEFAULT_FPS) -> Iterator[GivenRating]:
    """Yield what a field of temporal detections says: a detection is there, with value 1.

    One that has a confidence is a model's, and not rated.

    Args:
        path: of labels.json, or of data.json, which holds no ratings.
        fps: frames/s of detections that are given by frames from 1, both ends included.

    Raises:
        DataError: it cannot be read, or is no export of temporal detections.
    """
    path = Path(path)
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path) from error
    if isinstance(whole, dict) and all(isinstance(value, str) for value in whole.values()):
        return  # data.json
    rate = float(exact_rate(fps))
    try:
        classes = whole.get("classes") or ()
        for video, detections in whole["labels"].items():
            for detection in detections or ():
                yield _given(video, detection, classes, rate)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        what = f"is no temporal detections of FiftyOne ({type(error).__name__}: {error})"
        hint = "Export the field as fiftyone.types.FiftyOneTemporalDetectionDataset."
        raise DataError(what, where=path, hint=hint) from error


def _given(
    video: str, detection: dict[str, Any], classes: Sequence[str], rate: float
) -> GivenRating:
    label = detection["label"]
    title = classes[label] if isinstance(label, int) else str(label)
    if "timestamps" in detection:
        start, end = map(float, detection["timestamps"])
    else:
        first, last = map(int, detection["support"])
        start, end = (first - 1) / rate, last / rate
    value = None if detection.get("confidence") is not None else 1.0
    return GivenRating(video, round(start, 6), round(end, 6), title, value)


FORMAT = MomentFormat(
    name="fiftyone",
    what="temporal detections, of moments and of ratings",
    makes="folder",
    write=write,
)
