"""Audacity: a label track for each video, start, end and text with tabs between them.

Source: Audacity Manual, "Importing and Exporting Labels", standard format.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import one_line, write_text
from reeltag.deploy.moment_formats.verdicts import GivenRating, split_verdict


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.txt` for each video; times have 6 decimals, texts are class and probability.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        Nothing is left out.
    """
    for video, moments in export.by_video.items():
        lines = [
            f"{moment.start_s:.6f}\t{moment.end_s:.6f}\t"
            f"{export.titles[moment.index]} {moment.prob:.2f}\n"
            for moment in moments
        ]
        write_text(folder / f"{export.stems[video]}.txt", "".join(lines))
    return []


def read(path: PathLike, is_class: Callable[[str], bool]) -> Iterator[GivenRating]:
    """Yield the labels of a track; those that are points begin and end at the same second.

    A label is a class, or a class and yes or no; one with a probability is not rated.

    Args:
        path: of a file that Audacity exported; its name is that of the video.
        is_class: whether a class has a name.

    Raises:
        DataError: it cannot be read, or a line is no label.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path) from error
    for number, line in enumerate(lines, 1):
        start, _, rest = line.partition("\t")
        end, _, text = rest.partition("\t")
        if not line.strip() or start == "\\":  # frequencies of the label before
            continue
        try:
            times = float(start), float(end)
        except ValueError as error:
            what = "is no label of Audacity: start, end and text are expected, with tabs between"
            raise DataError(what, where=f"{path}, line {number}") from error
        yield GivenRating(path.stem, *times, *split_verdict(one_line(text), is_class))


FORMAT = MomentFormat(name="audacity", what="label tracks", makes="folder", write=write)
