"""WebVTT: moments of a video as text tracks that players and editors open.

    WEBVTT

    00:00:35.000 --> 00:00:45.000
    Guitar 0.93

Source: W3C, WebVTT: The Web Video Text Tracks Format, secs. 4.1 (file), 4.2 (cue text).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from reeltag.core.errors import OutputError
from reeltag.core.files import PathLike, whole_file


@dataclass(frozen=True, order=True)
class Span:
    """A class at the seconds [start_s, end_s) of a video.

    Attributes:
        start_s: second at which it begins.
        end_s: second at which it ends.
        text: name of the class.
        prob: its probability.
    """

    start_s: float
    end_s: float
    text: str
    prob: float


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Return the spans of one video, by start, those with the same text merged where they touch.

    The merged span has the highest probability of its parts.

    >>> merge_spans([Span(5, 10, "a", 0.5), Span(0, 5, "a", 0.9), Span(5, 10, "b", 0.1)])
    [Span(start_s=0, end_s=10, text='a', prob=0.9), Span(start_s=5, end_s=10, text='b', prob=0.1)]
    """
    last: dict[str, Span] = {}
    done = []
    for span in sorted(spans):
        before = last.get(span.text)
        if before is not None and span.start_s <= before.end_s:
            end, prob = max(before.end_s, span.end_s), max(before.prob, span.prob)
            last[span.text] = Span(before.start_s, end, span.text, prob)
        else:
            if before is not None:
                done.append(before)
            last[span.text] = span
    return sorted([*done, *last.values()])


def write_webvtt(
    folder: PathLike, videos: Mapping[str, Iterable[Span]], *, overwrite: bool = False
) -> list[Path]:
    """Write a file for each video, `<id>.vtt`, and return their paths.

    Characters of an id that a file name cannot hold everywhere are written as %XX.

    Args:
        folder: created where it is missing.
        videos: id -> spans of the video, in any order.
        overwrite: write into a folder with files, replacing those of the same names.

    Raises:
        OutputError: the folder holds files, or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder, overwrite=overwrite)
    paths = []
    for name, spans in videos.items():
        path = folder / file_name(name)
        with whole_file(path) as part:
            part.write_text(webvtt(merge_spans(spans)), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError where `folder` is a file, or holds files without `overwrite`."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file, not a folder", where=folder, hint="Choose another folder.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError(
            "holds files already, and they are not overwritten",
            where=folder,
            hint="Choose another folder, or add --overwrite.",
        )


def file_name(video_id: str) -> str:
    """Return the name of a video's file: nothing in it can lead out of the folder.

    >>> file_name("../a b"), file_name("-x_Y9")
    ('%2E.%2Fa%20b.vtt', '-x_Y9.vtt')
    """
    safe = quote(video_id, safe="")
    return (f"%2E{safe[1:]}" if safe.startswith(".") else safe) + ".vtt"


def webvtt(spans: Iterable[Span]) -> str:
    """Return the text of a file with `spans`, given by rising start, each with its probability."""
    cues = [
        f"{_time(span.start_s)} --> {_time(span.end_s)}\n{_escaped(span.text)} {span.prob:.2f}\n"
        for span in spans
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _time(seconds: float) -> str:
    second, millisecond = divmod(round(1000 * seconds), 1000)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{millisecond:03}"


def _escaped(text: str) -> str:
    """Return the text of a cue: one line, its markup escaped."""
    text = " ".join(text.split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
