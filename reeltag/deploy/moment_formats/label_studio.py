"""Label Studio: tasks with predictions on the time line of each video, and their labels.

FOLDER/labels.xml is the labelling interface of the project, FOLDER/tasks.json its tasks: frames of
a range count from 1, both ends included, at the frames/s that the task names; a range of one frame
may leave its other end null. What a person submits and exports as JSON rates the moments: what is
kept or drawn is there, what was deleted is not.

Source: Label Studio documentation, "Label Studio JSON format", TimelineLabels and Video tags.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike
from reeltag.core.text import json_text
from reeltag.deploy.moment_formats.contract import (
    DEFAULT_FPS,
    ExportedMoment,
    MomentExport,
    MomentFormat,
    exact_rate,
)
from reeltag.deploy.moment_formats.names import write_text
from reeltag.deploy.moment_formats.verdicts import GivenRating

LOCAL = "/data/local-files/?d="  # where Label Studio serves files of its machine
_CONTROL, _OBJECT = "moments", "video"
_COLOURS = ("#d4380d", "#389e0d", "#096dd9", "#c41d7f", "#d48806", "#08979c", "#531dab", "#7cb305")


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write tasks.json and labels.xml.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Which folder Label Studio must be allowed to serve, or that the files are unknown.
    """
    videos = export.by_video
    if not videos:
        return []
    paths = [export.file_of(video).path for video in videos]
    root = _common_folder([path for path in paths if path])
    tasks = [
        _task(video, moments, _url(export.file_of(video).path or video, root), export)
        for video, moments in videos.items()
    ]
    text = json_text(tasks, indent=1, allow_nan=False)
    write_text(folder / "tasks.json", text + "\n")
    used = sorted({moment.index for moment in export.moments})
    write_text(folder / "labels.xml", _interface([export.titles[index] for index in used]))
    unknown = sum(not path for path in paths)
    notes = (
        [f"the files of {unknown:,} videos are unknown: their tasks name ids"] if unknown else []
    )
    if unknown < len(paths):
        notes.append(
            "to play the videos, start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="
            f"true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={root}"
        )
    return notes


def _common_folder(paths: list[str]) -> str:
    folders = {os.path.dirname(path) for path in paths}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:  # on several drives, or not all of them absolute
        return ""


def _url(path: str, root: str) -> str:
    inside = os.path.relpath(path, root) if root and os.path.isabs(path) else path
    return LOCAL + quote(Path(inside).as_posix(), errors="replace")


def _task(
    video: str, moments: list[ExportedMoment], url: str, export: MomentExport
) -> dict[str, Any]:
    regions = [_region(moment, export) for moment in moments]
    score = sum(moment.prob for moment in moments) / len(moments)
    return {
        "data": {_OBJECT: url, "video_id": video, "fps": float(export.rate)},
        "predictions": [{"model_version": "reeltag", "score": score, "result": regions}],
    }


def _region(moment: ExportedMoment, export: MomentExport) -> dict[str, Any]:
    first, end = export.frames_of(moment)
    key = f"{moment.id}\0{moment.index}\0{moment.start_s}\0{moment.end_s}"
    return {
        "id": hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:12],
        "from_name": _CONTROL,
        "to_name": _OBJECT,
        "type": "timelinelabels",
        "value": {
            "ranges": [{"start": first + 1, "end": end}],
            "timelinelabels": [export.titles[moment.index]],
        },
        "score": moment.prob,
    }


def _interface(titles: list[str]) -> str:
    view = ElementTree.Element("View")
    attributes = {"name": _CONTROL, "toName": _OBJECT}
    labels = ElementTree.SubElement(view, "TimelineLabels", attributes)
    for number, title in enumerate(titles):
        colour = _COLOURS[number % len(_COLOURS)]
        ElementTree.SubElement(labels, "Label", {"value": title, "background": colour})
    attributes = {"name": _OBJECT, "value": "$video", "frameRate": "$fps", "timelineHeight": "160"}
    ElementTree.SubElement(view, "Video", attributes)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def read(path: PathLike, fps: float = DEFAULT_FPS) -> Iterator[GivenRating]:
    """Yield what people submitted: value 1 for each region, 0 for predictions that they deleted.

    Predictions are deleted where an annotation began with them. Skipped annotations do not count.

    Args:
        path: of a JSON export (JSON or JSON-MIN).
        fps: frames/s of tasks that do not name it.

    Raises:
        DataError: it cannot be read, or is no list of tasks.
    """
    path = Path(path)
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path) from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        what = "is no export of Label Studio: a list of tasks is expected"
        raise DataError(what, where=path, hint="Export the project as JSON.")
    for number, task in enumerate(tasks, 1):
        try:
            yield from _task_verdicts(task, fps)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            what = f"is not as Label Studio exports it ({type(error).__name__}: {error})"
            raise DataError(what, where=f"{path}, task {number}") from error


def _task_verdicts(task: dict[str, Any], fps: float) -> Iterator[GivenRating]:
    data = task.get("data", task)
    rate = float(exact_rate(float(data.get("fps") or fps)))
    video = str(data.get("video_id") or data.get(_OBJECT) or "")

    def verdicts(value: dict[str, Any], rating: float) -> Iterator[GivenRating]:
        for span in value["ranges"]:
            given = [frame for frame in (span["start"], span["end"]) if frame is not None]
            if not given:
                continue
            start, end = (given[0] - 1) / rate, given[-1] / rate
            for title in value["timelinelabels"]:
                yield GivenRating(video, round(start, 6), round(end, 6), str(title), rating)

    if "annotations" not in task:  # JSON-MIN: values by the name of their control
        for values in task.values():
            for value in values if isinstance(values, list) else []:
                if isinstance(value, dict) and "timelinelabels" in value:
                    yield from verdicts(value, 1.0)
    for annotation in task.get("annotations", []):
        if annotation.get("was_cancelled"):
            continue
        kept = _regions(annotation)
        for value in kept.values():
            yield from verdicts(value, 1.0)
        for key, value in _predicted(task, annotation, kept).items():
            if key not in kept:
                yield from verdicts(value, 0.0)


def _predicted(
    task: dict[str, Any], annotation: dict[str, Any], kept: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the predicted regions that an annotation began with; {} if it began with none."""
    sources = [annotation.get("prediction"), *task.get("predictions", [])]
    whole = [source for source in sources if isinstance(source, dict) and source.get("result")]
    began = annotation.get("parent_prediction")
    for source in whole:
        regions = _regions(source)
        if source is annotation.get("prediction") or regions.keys() & kept.keys():
            return regions
        if began is not None and source.get("id") == began:
            return regions
    return {}


def _regions(of: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return id -> value of the time line regions of an annotation or a prediction."""
    return {
        str(region.get("id", number)): region["value"]
        for number, region in enumerate(of.get("result", []))
        if region.get("type") == "timelinelabels"
    }


FORMAT = MomentFormat(
    name="label-studio",
    what="tasks with predictions, and the labelling interface",
    makes="folder",
    write=write,
)
