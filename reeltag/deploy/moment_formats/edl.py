"""EDL: CMX 3600 with markers, as DaVinci Resolve imports them onto a time line.

    TITLE: film_001
    FCM: NON-DROP FRAME

    001  001      V     C        00:00:35:00 00:00:35:01 01:00:35:00 01:00:35:01
     |C:ResolveColorBlue |M:Guitar 0.93 |D:250

Times of the source begin at 00:00:00:00, those of the time line at 01:00:00:00, as Resolve's do.
Source: DaVinci Resolve Manual, "Exporting Timeline Markers to EDL", and such files.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import one_line, write_text

MOST_EVENTS = 999  # of a list: their numbers have three digits
_DAY_S, _START_S = 86400, 3600
_COLOURS = (
    *("Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia"),
    *("Rose", "Lavender", "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"),
)


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.edl` for each video, and `<id>.2.edl`, ... where it has more than 999 moments.

    A marker of one frame is at the start of each moment, with its length in frames. There is
    one marker per frame: of moments that begin together the later ones are a frame further on.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        How many moments were left out, because time codes end after 24 hours.
    """
    nominal = math.ceil(export.rate)
    last = (_DAY_S - _START_S) * nominal - 1
    late = 0
    for video, moments in export.by_video.items():
        events = list(_events(moments, export))
        late += sum(first >= last for first, _, _ in events)
        events = [event for event in events if event[0] < last]
        for part, begin in enumerate(range(0, len(events), MOST_EVENTS), 1):
            name = export.stems[video] + (f".{part}" if part > 1 else "")
            text = _list(video, events[begin : begin + MOST_EVENTS], nominal)
            write_text(folder / f"{name}.edl", text)
    return [f"{late:,} moments begin after 23 hours, which time codes do not reach"] if late else []


def _events(
    moments: list[ExportedMoment], export: MomentExport
) -> Iterator[tuple[int, int, tuple[str, str]]]:
    """Yield first frame, frames, colour and name of each marker, no two at one frame."""
    free = 0
    for moment in moments:
        first, end = export.frames_of(moment)
        first = max(first, free)
        free = first + 1
        colour = _COLOURS[moment.index % len(_COLOURS)]
        name = f"{export.titles[moment.index].replace('|', '/')} {moment.prob:.2f}"
        yield first, max(1, end - first), (colour, name)


def _list(video: str, events: list[tuple[int, int, tuple[str, str]]], nominal: int) -> str:
    lines = [f"TITLE: {one_line(video)}\nFCM: NON-DROP FRAME\n"]
    for number, (first, frames, (colour, name)) in enumerate(events, 1):
        record = first + _START_S * nominal
        codes = [_time_code(at, nominal) for at in (first, first + 1, record, record + 1)]
        lines.append(
            f"{number:03}  001      V     C        {' '.join(codes)}\n"
            f" |C:ResolveColor{colour} |M:{name} |D:{frames}\n"
        )
    return "\n".join(lines)


def _time_code(frame: int, nominal: int) -> str:
    second, frame = divmod(frame, nominal)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour:02}:{minute:02}:{second:02}:{frame:02}"


FORMAT = MomentFormat(
    name="edl", what="CMX 3600 with markers, for DaVinci Resolve", makes="folder", write=write
)
