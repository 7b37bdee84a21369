"""YouTube: chapters of each video, to be pasted into its description.

    0:00 Start
    0:35 Guitar
    1:02:10 Applause

YouTube takes chapters that begin at 0:00, are in order, at least three, and 10 s long or longer; a
description has 5,000 characters, without angle brackets. Source: YouTube Help, "Video Chapters".
"""

from pathlib import Path

from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import write_text

SHORTEST_S = 10
FEWEST = 3
_LONGEST_TEXT = 5000
_BRACKETS = str.maketrans("<>", "\u2039\u203a")


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.txt` for each video that has chapters enough.

    A chapter begins with a moment and lasts until the next. Of moments that begin less than 10 s
    apart the most probable one is taken.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        How many moments were left out, and videos without a file.
    """
    left_out, too_few = 0, []
    for video, moments in export.by_video.items():
        chapters = _chapters(moments, export.file_of(video).duration_s)
        lines = _lines(chapters, export)
        if len(lines) < FEWEST:
            too_few.append(video)
            continue
        left_out += len(moments) - len(chapters)
        write_text(folder / f"{export.stems[video]}.txt", "".join(lines))
    notes = []
    if left_out:
        notes.append(
            f"{left_out:,} moments are no chapters: they begin less than {SHORTEST_S} s from a "
            "more probable one, or from the end"
        )
    if too_few:
        notes.append(
            f"{len(too_few):,} videos have no file, for YouTube wants {FEWEST} chapters of "
            f"{SHORTEST_S} s: {', '.join(map(repr, too_few[:3]))}{', ...' * (len(too_few) > 3)}"
        )
    return notes


def _chapters(moments: list[ExportedMoment], duration_s: float | None) -> list[ExportedMoment]:
    """Return the moments that begin a chapter, by start: the most probable that fit."""
    end = float("inf") if duration_s is None else duration_s
    size, chosen = 0, list[ExportedMoment]()
    for moment in sorted(moments, key=lambda each: (-each.prob, each.start_s)):
        start = _start(moment)
        apart = all(abs(start - _start(other)) >= SHORTEST_S for other in chosen)
        size_with = size + len(moment.name) + len("00:00:00 \n")
        if apart and start + SHORTEST_S <= end and size_with <= _LONGEST_TEXT - len("0:00 Start\n"):
            chosen.append(moment)
            size = size_with
    return sorted(chosen, key=_start)


def _start(moment: ExportedMoment) -> int:
    """Return the second at which a chapter begins: the first one is at 0, so it has 10 s."""
    start = int(moment.start_s)
    return 0 if start < SHORTEST_S else start


def _lines(chapters: list[ExportedMoment], export: MomentExport) -> list[str]:
    lines = [
        f"{_time(_start(each))} {export.titles[each.index].translate(_BRACKETS)}\n"
        for each in chapters
    ]
    starts_late = bool(chapters) and _start(chapters[0]) > 0
    return ["0:00 Start\n", *lines] if starts_late else lines


def _time(second: int) -> str:
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


FORMAT = MomentFormat(
    name="youtube", what="chapters for a description", makes="folder", write=write
)
