"""Lists of classes, such as the 1000 of 3862 that the challenge of 2019 asks for."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError

SEGMENT_CLASSES = "segment_label_ids.csv"
_LEVELS = 2  # parents of the data folder that are looked into
_HINT = (
    f"Such a list is a CSV file with a column Index: {SEGMENT_CLASSES} of the challenge, or a "
    "vocabulary."
)


def read_class_list(path: Path) -> tuple[int, ...]:
    """Return the classes that a CSV file lists in its column `Index`, in the order of the file.

    Both `segment_label_ids.csv` of the challenge and any vocabulary file are such lists.

    Raises:
        DataError: there is no such file or column, or a class is no whole number or stands twice.
    """
    header, lines = _read_lines(path)
    if "index" not in header:
        shown = f"it has: {', '.join(header)}" if header else "it is empty"
        raise _broken(f"has no column named Index ({shown})", path)
    column = header.index("index")
    found = list[int]()
    for number, line in lines:
        cell = line[column].strip() if column < len(line) else ""
        if not (cell.isascii() and cell.isdecimal()):
            raise _broken(f"line {number}: a class is a whole number, got {cell!r}", path)
        found.append(int(cell))
    if not found:
        raise _broken("lists no class", path)
    category, times = Counter(found).most_common(1)[0]
    if times > 1:
        raise _broken(f"lists class {category} more than once", path)
    return tuple(found)


def read_class_mask(path: Path, num_classes: int) -> NDArray[np.bool_]:
    """Return (C,) which classes the file lists.

    Raises:
        DataError: as `read_class_list`, or a class is none of the `num_classes` of the data.
    """
    listed = read_class_list(path)
    if max(listed) >= num_classes:
        raise DataError(
            f"lists class {max(listed)}, the data has {num_classes} (0 to {num_classes - 1})",
            where=path,
        )
    mask = np.zeros(num_classes, bool)
    mask[list(listed)] = True
    return mask


def _read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header in lower case, and the other lines that are not empty, numbered."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = [name.strip().lower() for name in next(lines, [])]
            return header, [(lines.line_num, line) for line in lines if line]
    except FileNotFoundError as error:
        raise _broken("is not there", path) from error
    except OSError as error:
        raise _broken(f"cannot be read ({error.strerror})", path) from error
    except (ValueError, csv.Error) as error:
        raise _broken("cannot be read as a list of classes: it is not CSV text", path) from error


def _broken(what: str, path: Path) -> DataError:
    return DataError(what, where=path, hint=_HINT)


def find_class_list(data: Path) -> Path | None:
    """Return `segment_label_ids.csv` in a data folder or up to two folders above, or None."""
    folder = data.resolve()
    folder = folder if folder.is_dir() else folder.parent
    for place in (folder, *folder.parents[:_LEVELS]):
        if (place / SEGMENT_CLASSES).is_file():
            return place / SEGMENT_CLASSES
    return None
