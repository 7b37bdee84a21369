"""The names of the classes, from the files that the data sets come with."""

import csv
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.errors import DataError
from reeltag.core.files import whole_file
from reeltag.data.streams import MAX_CLASSES

_FILES = {  # file -> columns of index and name, matched without regard to case
    "classes.csv": ("index", "name"),  # what reeltag writes
    "vocabulary.csv": ("index", "name"),  # YouTube-8M
    "class_labels_indices.csv": ("index", "display_name"),  # AudioSet
}
_LEVELS = 2  # parents of the data folder that are looked into


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a data set: `names[index]`, none of them empty."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)

    @classmethod
    def numbered(cls, num_classes: int) -> "Vocabulary":
        """Return a vocabulary for classes without names: "class 0", "class 1", ..."""
        return cls(tuple(f"class {index}" for index in range(num_classes)))

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read one of the known files; an index that is left out has a numbered name.

        Raises:
            DataError: the file cannot be read, or an index is no whole number, stands twice, is
                negative or implausibly large.
        """
        wanted = _FILES.get(path.name, ("index", "name"))
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"cannot be read as a vocabulary ({error})", where=path) from error
        columns = {key.strip().lower(): key for key in (rows[0] if rows else {}) if key}
        if not set(wanted) <= set(columns):
            found = ", ".join(columns) or "none"
            raise DataError(
                f"has the columns {found}; {' and '.join(wanted)} are needed",
                where=path,
                hint="The first line names the columns, each further line is a class.",
            )
        names: dict[int, str] = {}
        for line, row in enumerate(rows, start=2):
            text = row[columns[wanted[0]]] or ""
            index = int(text) if text.strip().isdecimal() else -1
            if not 0 <= index < MAX_CLASSES or index in names:
                raise DataError(
                    f"index {text!r} is no new whole number from 0 to {MAX_CLASSES - 1}",
                    where=f"{path}, line {line}",
                )
            names[index] = (row[columns[wanted[1]]] or "").strip()
        size = max(names, default=-1) + 1
        return cls(tuple(names.get(index) or f"class {index}" for index in range(size)))

    def save(self, path: Path) -> None:
        """Write index and name of every class, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("index", "name"))
            writer.writerows(enumerate(self.names))


def find_vocabulary(data: Path, num_classes: int | None = None) -> Vocabulary | None:
    """Return the vocabulary that lies with a data set, or None.

    `classes.csv`, `vocabulary.csv` (YouTube-8M) and `class_labels_indices.csv` (AudioSet) are
    looked for in `data` (or the folder of that file), then in its two parents; the first counts.

    Args:
        data: folder or shard.
        num_classes: if given, vocabularies of another size are passed over.

    Raises:
        DataError: a vocabulary is there and cannot be read.
    """
    folder = data.resolve()
    folder = folder if folder.is_dir() else folder.parent
    for place in (folder, *folder.parents)[: _LEVELS + 1]:
        for name in _FILES:
            if (place / name).is_file():
                found = Vocabulary.load(place / name)
                if num_classes in (None, len(found)):
                    return found
    return None
