"""ActivityNet: detections of all videos, as its evaluation and its tools read them.

    {"version": "VERSION 1.3", "results": {"a": [{"label": "Guitar", "score": 0.93,
     "segment": [3.0, 9.5]}]}, "external_data": {"used": true, "details": "reeltag"}}

Source: ActivityNet Large Scale Activity Recognition Challenge, "Temporal Activity Localization",
format of a submission.
"""

from pathlib import Path

from reeltag.core.text import json_text
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import write_text


def write(export: MomentExport, path: Path) -> list[str]:
    """Write the detections of all videos.

    Args:
        export: what to write.
        path: of the file.

    Returns:
        Nothing is left out.
    """
    results = {
        video: [
            {
                "label": moment.name,
                "score": moment.prob,
                "segment": [moment.start_s, moment.end_s],
            }
            for moment in moments
        ]
        for video, moments in export.by_video.items()
    }
    external = {"used": True, "details": "reeltag"}
    whole = {"version": "VERSION 1.3", "results": results, "external_data": external}
    write_text(path, json_text(whole, indent=1, allow_nan=False) + "\n")
    return []


FORMAT = MomentFormat(
    name="activitynet", what="detections as its evaluation reads them", makes="file", write=write
)
