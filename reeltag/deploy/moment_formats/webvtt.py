"""WebVTT: moments of a video as a text track that players and editors open.

    WEBVTT

    00:00:35.000 --> 00:00:45.000
    Guitar 0.93

Source: W3C, WebVTT: The Web Video Text Tracks Format, secs. 4.1 (file), 4.2 (cue text).
"""

from pathlib import Path

from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import write_text


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write a track for each video, `<id>.vtt`.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Nothing is left out.
    """
    for video, moments in export.by_video.items():
        cues = [_cue(moment, export.titles[moment.index]) for moment in moments]
        write_text(folder / f"{export.stems[video]}.vtt", "\n".join(["WEBVTT\n", *cues]))
    return []


def _cue(moment: ExportedMoment, title: str) -> str:
    start = round(1000 * moment.start_s)
    end = max(start + 1, round(1000 * moment.end_s))
    return f"{_time(start)} --> {_time(end)}\n{_escaped(title)} {moment.prob:.2f}\n"


def _time(milliseconds: int) -> str:
    second, millisecond = divmod(milliseconds, 1000)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{millisecond:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMAT = MomentFormat(
    name="webvtt", what="text tracks that players and editors open", makes="folder", write=write
)
