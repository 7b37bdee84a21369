"""Raven: a selection table for each video, as Raven Pro and Raven Lite open over its sound.

Source: Raven Pro 1.6 User's Guide, chapter "Selections", measurements that a table must have.
"""

from pathlib import Path, PurePath

from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import one_line, write_text

HIGHEST_HZ = 8000.0  # a selection has all frequencies of sound of 16 kHz
_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin File",
    "Annotation",
    "Score",
)


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.Table.1.selections.txt` for each video; times have 6 decimals.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Nothing is left out.
    """
    for video, moments in export.by_video.items():
        file = one_line(PurePath(export.file_of(video).path).name or video)
        rows = [_COLUMNS]
        for number, moment in enumerate(moments, 1):
            times = (f"{moment.start_s:.6f}", f"{moment.end_s:.6f}")
            place = (str(number), "Spectrogram 1", "1", *times, "0.0", f"{HIGHEST_HZ:.1f}", file)
            rows.append((*place, export.titles[moment.index], f"{moment.prob:.4f}"))
        text = "".join("\t".join(row) + "\n" for row in rows)
        write_text(folder / f"{export.stems[video]}.Table.1.selections.txt", text)
    return []


FORMAT = MomentFormat(name="raven", what="selection tables", makes="folder", write=write)
