"""JSON: videos with their moments, for programs.

{"classes": ["Guitar", ...],
 "videos": [{"id": "a", "path": "/films/a.mp4", "duration_s": 61.2,
             "moments": [{"class": 0, "name": "Guitar", "start_s": 3.0, "end_s": 9.5, ...}]}]}
"""

from pathlib import Path
from typing import Any

from reeltag.core.text import json_text
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import write_text


def write(export: MomentExport, path: Path) -> list[str]:
    """Write one object with all videos that have moments.

    Args:
        export: what to write.
        path: of the file.

    Returns:
        Nothing is left out.
    """
    videos = [
        {
            "id": video,
            "path": export.file_of(video).path or None,
            "duration_s": export.file_of(video).duration_s,
            "moments": [_described(moment) for moment in moments],
        }
        for video, moments in export.by_video.items()
    ]
    whole = {"classes": list(export.class_names), "videos": videos}
    write_text(path, json_text(whole, indent=1, allow_nan=False) + "\n")
    return []


def _described(moment: ExportedMoment) -> dict[str, Any]:
    return {
        "class": moment.index,
        "name": moment.name,
        "start_s": moment.start_s,
        "end_s": moment.end_s,
        "peak_s": moment.peak_s,
        "prob": moment.prob,
        "mean_prob": moment.mean_prob,
        "precision": moment.precision,
        "precision_interval": moment.precision_interval,
        "yes": moment.yes,
        "no": moment.no,
    }


FORMAT = MomentFormat(name="json", what="videos with their moments", makes="file", write=write)
