"""The classes of a data set or a model: names, MIDs, and whether two lists are the same."""

import csv
import difflib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, whole_file
from reeltag.data.streams import MAX_CLASSES

SEGMENT_CLASSES = "segment_label_ids.csv"  # the 1000 of 3862 that the challenge of 2019 scores
CLASS_LISTS = (
    "classes.csv",
    "vocabulary.csv",
    "class_labels_indices.csv",
)  # ours, YouTube-8M, AudioSet
_LEVELS = 2  # parents of the data folder that are searched for names
_NAMES, _MIDS = ("name", "display_name"), ("mid", "knowledgegraphid")  # AudioSet's, YouTube-8M's
_HINT = (
    f"A class list is a CSV file with a column Index, such as {SEGMENT_CLASSES} of the challenge, "
    "and for the classes of a data set a column name or display_name."
)
_SAME = "Both must be of the same classes: take data, models and files of one class list."


@dataclass(frozen=True)
class ClassList:
    """C classes, by index, name and, where it is known, Freebase id (MID).

    Attributes:
        names: C names, none of them empty; a class without a name is "class 7".
        mids: C ids such as /m/09x0r, empty where unknown; None where the list has none.
        indices: C indices in a bigger list, in the order of the file; None: 0 to C - 1.
        inferred: the list was inferred from the largest label: there may be more classes.
        source: file that it was read from, for errors.
    """

    names: tuple[str, ...]
    mids: tuple[str, ...] | None = None
    indices: tuple[int, ...] | None = None
    inferred: bool = False
    source: str = field(default="", compare=False)

    def __len__(self) -> int:
        """Return C."""
        return len(self.names)

    @property
    def listed(self) -> tuple[int, ...]:
        """(C,) index of each class, in the bigger list where there is one."""
        return tuple(range(len(self))) if self.indices is None else self.indices

    def has_name(self, place: int) -> bool:
        """Return whether the class at a place has a name of its own, which is not its number."""
        return self.names[place] != _numbered(self.listed[place])

    @classmethod
    def numbered(cls, num_classes: int, *, inferred: bool = False) -> "ClassList":
        """Return a list of classes without names: "class 0", "class 1", ..."""
        return cls(tuple(map(_numbered, range(num_classes))), inferred=inferred)

    @classmethod
    def open(cls, path: str | Path, *, full: bool = False) -> "ClassList":
        """Read a CSV file with the column index and perhaps name, display_name, mid (any case).

        Args:
            path: classes.csv, vocabulary.csv, class_labels_indices.csv, segment_label_ids.csv, ...
            full: the file names all classes of a data set: it must have names, and an index that
                it leaves out has a numbered one.

        Raises:
            DataError: the file cannot be read, lacks a column, or an index is not a whole number,
                repeated or implausibly large.
        """
        header, lines = _read_lines(Path(path))
        columns = {
            key: next((header.index(name) for name in names if name in header), None)
            for key, names in (("index", ("index",)), ("name", _NAMES), ("mid", _MIDS))
        }
        for key in ("index", "name")[: 1 + full]:
            if columns[key] is None:
                shown = f"it has: {', '.join(header)}" if header else "it is empty"
                raise DataError(f"has no column named {key} ({shown})", where=path, hint=_HINT)
        indices = [_index(path, number, _cell(line, columns["index"])) for number, line in lines]
        repeated, times = Counter(indices).most_common(1)[0] if indices else (0, 0)
        if times != 1:
            what = f"class {repeated} more than once" if times else "no class"
            raise DataError(f"lists {what}", where=path, hint=_HINT)
        cells = {index: line for index, (_, line) in zip(indices, lines, strict=True)}
        whole = full or max(indices) < len(indices)
        listed = range(max(indices) + 1) if whole else indices
        return cls(
            tuple(_cell(cells.get(i, []), columns["name"]) or _numbered(i) for i in listed),
            None
            if columns["mid"] is None
            else tuple(_cell(cells.get(i, []), columns["mid"]) for i in listed),
            None if whole else tuple(listed),
            source=str(path),
        )

    @classmethod
    def find(cls, data: PathLike) -> "ClassList | None":
        """Return the list of a data folder, from it or its two parents, the nearest; or None.

        Args:
            data: folder or shard; classes.csv, vocabulary.csv (YouTube-8M) and
                class_labels_indices.csv (AudioSet) are looked for, in this order.

        Raises:
            DataError: a list is there and cannot be read.
        """
        data = Path(data)
        folder = folder_of(data)
        for place in (folder, *folder.parents)[: _LEVELS + 1]:
            for name in CLASS_LISTS:
                if (place / name).is_file():
                    return cls.open(place / name, full=True)
        return None

    def save(self, path: PathLike) -> None:
        """Write index, name and MID (if known) of every class, whole or not at all.

        Args:
            path: of the CSV file.

        Raises:
            OutputError: it cannot be written.
        """
        path = Path(path)
        columns = [("index", self.listed), ("name", self.names)]
        columns += [] if self.mids is None else [("mid", self.mids)]
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = CsvWriter(file)
            writer.writerow([name for name, _ in columns])
            writer.writerows(zip(*(values for _, values in columns), strict=True))

    def mask(self, num_classes: int, *, of: str = "the data") -> NDArray[np.bool_]:
        """Return (num_classes,) which classes are in the list.

        Args:
            num_classes: of the data.
            of: what has so many classes, for the error.

        Raises:
            DataError: the list has a class that is not in 0 to num_classes - 1.
        """
        largest = max(self.listed, default=-1)
        if largest >= num_classes:
            raise DataError(
                f"lists class {largest}; {of} has {num_classes} (0 to {num_classes - 1})",
                where=self.source,
                hint=f"Take a list of the classes of {of}.",
            )
        mask = np.zeros(num_classes, bool)
        mask[list(self.listed)] = True
        return mask

    def index_of(self, wanted: str | int, *, where: object = "class") -> int:
        """Return the index of a class by its name (in any case), its MID or its index.

        Args:
            wanted: name, MID or index; digits in a string are an index.
            where: what it was given as, for the error.

        Raises:
            ConfigError: no class, or more than one, is called that; similar names are listed.
        """
        text = str(wanted)
        indices = self.indices or range(len(self))  # a range is searched at once
        found = [] if isinstance(wanted, int) else self._places.get(text.casefold(), [])
        exact = [at for at in found if self.names[at] == text]
        found = exact if len(exact) == 1 else found
        if not found and text in (self.mids or ()):
            found = [at for at, mid in enumerate(self.mids or ()) if mid == text]
        if len(found) == 1:
            return indices[found[0]]
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if number in indices:
            return number
        if found:
            what = f"{len(found)} classes are called {text!r}: "
            what += ", ".join(str(indices[at]) for at in found)
            raise ConfigError(what, where=where, hint="Give one of these numbers.")
        if number >= 0:
            allowed = "in the list" if self.indices else f"in 0 to {len(self) - 1}"
            raise ConfigError(f"must be {allowed}, got {text}", where=where)
        raise ConfigError(f"no class is called {text!r}", where=where, hint=self._like(text))

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Name without case -> places in the list."""
        places = dict[str, list[int]]()
        for at, name in enumerate(self.names):
            places.setdefault(name.casefold(), []).append(at)
        return places

    def _like(self, text: str) -> str:
        """Return a hint with the names that are most like `text`."""
        text = text.casefold()
        close = difflib.get_close_matches(text, self._places, n=5)
        holds = sorted((name for name in self._places if text in name), key=len)
        places = [self._places[name][0] for name in dict.fromkeys([*close, *holds])][:5]
        if places:
            return f"Did you mean {', '.join(self.names[at] for at in places)}?"
        return f"There are {len(self):,} classes: {', '.join(self.names[:3])}, ..."

    def check_same(
        self, other: "ClassList", *, where: object, other_where: object, hint: str = _SAME
    ) -> None:
        """Raise DataError where two lists are not of the same classes.

        A class without a name fits any name, and an inferred list fits one that has more classes.

        Args:
            other: to compare with.
            where: what this list belongs to.
            other_where: what the other belongs to.
            hint: the way out.
        """
        difference = self._first_difference(other, str(other_where))
        more, fewer = (other, self) if len(self) < len(other) else (self, other)
        if len(more) != len(fewer) and not fewer.inferred:
            alone = where if more is self else other_where
            extra = f"{more.names[len(fewer)]!r} is in {alone} alone"
            sizes = f"has {len(self):,} classes; {other_where} has {len(other):,}"
            difference = f"{sizes}: {difference or extra}"
        if difference:
            raise DataError(difference, where=where, hint=hint)

    def _first_difference(self, other: "ClassList", other_where: str) -> str:
        """Return how the first pair of classes differs; empty where all fit each other."""
        pairs = zip(self.listed, other.listed, self.names, other.names, strict=False)
        for here, there, name, its in pairs:
            if here != there:
                return f"lists class {here} where {other_where} lists {there}"
            if name != its and _numbered(here) not in (name, its):
                return f"class {here} is {name!r}; in {other_where} it is {its!r}"
        return ""


def find_segment_classes(data: Path) -> Path | None:
    """Return segment_label_ids.csv in a data folder (or that of a shard), or None."""
    path = folder_of(data) / SEGMENT_CLASSES
    return path if path.is_file() else None


def folder_of(data: Path) -> Path:
    """Return the folder that a data folder or shard is in, without links."""
    folder = data.resolve()
    return folder if folder.is_dir() else folder.parent


def _numbered(index: int) -> str:
    return f"class {index}"


def _cell(line: list[str], column: int | None) -> str:
    return line[column].strip() if column is not None and column < len(line) else ""


def _index(path: str | Path, number: int, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and int(cell) < MAX_CLASSES):
        raise DataError(
            f"line {number}: a class is a whole number from 0 to {MAX_CLASSES - 1}, got {cell!r}",
            where=path,
            hint=_HINT,
        )
    return int(cell)


def _read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header in lower case, and the other lines that are not empty, numbered."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = [name.strip().lower() for name in next(lines, [])]
            return header, [(lines.line_num, line) for line in lines if line]
    except FileNotFoundError as error:
        raise DataError("is not there", where=path, hint=_HINT) from error
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise DataError(what, where=path, hint=_HINT) from error
    except (ValueError, csv.Error) as error:
        what = "cannot be read as a class list: it is not CSV text"
        raise DataError(what, where=path, hint=_HINT) from error
