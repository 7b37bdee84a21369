"""FiftyOne: a dataset of temporal detections on disk, which one call imports.

    kind = fiftyone.types.FiftyOneTemporalDetectionDataset
    fiftyone.Dataset.from_dir("FOLDER", kind, data_path="data.json")

FOLDER/labels.json has the detections of each video, with timestamps in seconds; FOLDER/data.json
says where its file is. Source: FiftyOne, "Loading data", FiftyOneTemporalDetectionDataset.
"""

from pathlib import Path, PurePath
from typing import Any

from reeltag.core.text import json_text
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import write_text


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write labels.json, and data.json for the videos whose files are known.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Videos whose files are unknown.
    """
    known = [video for video in export.by_video if export.file_of(video).path]
    chosen = known or list(export.by_video)
    if not chosen:
        return []
    labels = {export.stems[video]: _detections(export.by_video[video]) for video in chosen}
    _write(folder / "labels.json", {"classes": list(export.class_names), "labels": labels})
    if not known:
        return [
            "the files of the videos are unknown: put them into a folder data/ next to "
            "labels.json, named as in it"
        ]
    _write(folder / "data.json", {_key(video, export): _path(video, export) for video in known})
    unknown = len(export.by_video) - len(known)
    return [f"{unknown:,} videos are left out, for their files are unknown"] if unknown else []


def _detections(moments: list[ExportedMoment]) -> list[dict[str, Any]]:
    return [
        {
            "label": moment.name,
            "timestamps": [moment.start_s, moment.end_s],
            "confidence": moment.prob,
        }
        for moment in moments
    ]


def _path(video: str, export: MomentExport) -> str:
    return export.file_of(video).path


def _key(video: str, export: MomentExport) -> str:
    """Return the stem with an ending, for FiftyOne drops that of keys; an id may be a path."""
    return export.stems[video] + (PurePath(_path(video, export)).suffix or ".mp4")


def _write(path: Path, value: object) -> None:
    write_text(path, json_text(value, indent=1, allow_nan=False) + "\n")


FORMAT = MomentFormat(
    name="fiftyone", what="a dataset of temporal detections", makes="folder", write=write
)
