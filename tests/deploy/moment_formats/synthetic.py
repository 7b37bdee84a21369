"""Moments with names, ids and times that are hard to write."""

from pathlib import Path
from typing import Any

from reeltag.deploy.moment_formats import format_named
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, VideoFile
from reeltag.deploy.moment_formats.writing import export_moments

NAMES = (
    "Guitar",
    'R&B, <b>"loud"</b>; it\'s',
    "tab\there\r\nand line",
    "日本語 ünï — ‏עברית",
    "a|pipe \\ and 100 %",
    "escape \x1b[31m \0",
    "Guitar 2.50",
)
TITLES = (
    *NAMES[:2],
    "tab here and line",
    *NAMES[3:5],
    "escape \ufffd[31m \ufffd",
    NAMES[6],
)
IDS = ("film_001", "../../up", "a/b c.mp4", "r\rt", "x" * 300, "é" * 150, "\x1b[2J")
FILES = {"film_001": VideoFile("/films/Best of/film 1 é.mp4", 4000.0)}


def moment(start: float, end: float, index: int = 0, prob: float = 0.75, **more: Any) -> Any:
    """Return a moment of a class, by default of the first video."""
    known: dict[str, Any] = {
        "id": IDS[0],
        "name": NAMES[index],
        "peak_s": (start + end) / 2,
        "mean_prob": prob / 2,
    }
    known |= {"precision": None}
    return ExportedMoment(index=index, start_s=start, end_s=end, prob=prob, **(known | more))


def export_of(*moments: ExportedMoment, **more: Any) -> MomentExport:
    """Return an export of moments of the classes and files above."""
    return MomentExport(moments=moments, class_names=NAMES, **({"videos": FILES} | more))


def hard_export(**more: Any) -> MomentExport:
    """Return an export with all names, ids, and odd times."""
    spans = [(3.0, 9.5), (0.0, 1.0004), (3599.9996, 3661.25), (6.25, 400_000.125)]
    moments = [moment(*spans[0], index=index) for index in range(len(NAMES))]
    moments += [moment(*span, index=0, id=name) for name in IDS[1:] for span in spans[:2]]
    moments += [moment(*spans[2], index=3, prob=0.004), moment(*spans[3], index=1, prob=1.0)]
    return export_of(*moments, **more)


def written(name: str, export: MomentExport, path: Path) -> tuple[Path, list[str]]:
    """Export to a path and return it with the notes."""
    return path, export_moments(format_named(name, where="test"), export, path).notes
