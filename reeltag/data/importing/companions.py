"""Labels, ratings and classes given with features: checked against the videos, and copied."""

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_sink
from reeltag.core.console import say
from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import whole_file
from reeltag.data.annotation_tables import KNOWN_COLUMNS, read_table, write_rows
from reeltag.data.annotations import Annotations, Entries, find_annotations
from reeltag.data.class_cells import split_cell
from reeltag.data.class_list import ClassList
from reeltag.data.features import Features
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.index import Index, open_index

AnnotationTable: TypeAlias = Literal["labels", "ratings"]
_KINDS: tuple[AnnotationTable, ...] = ("labels", "ratings")
_CLASSES = "classes.csv"
_LONGER = "Classes that are there keep their index and name; new ones follow them."


@dataclass
class Companions:
    """Tables given with features.

    Attributes:
        out: the data folder to be, or to add to.
        append: it is added to.
        tables: the files of labels and ratings.
        classes: of the data as they will be; None: there are only numbers.
        new_classes: a file with the classes, or their names, that is written; None: neither.
        entries: ratings of videos and classes that are known.
    """

    out: Path
    append: bool
    tables: Mapping[AnnotationTable, Annotations]
    classes: ClassList | None
    new_classes: Path | ClassList | None
    entries: Entries | None = field(default=None, init=False)

    @classmethod
    def open(cls, out: Path, config: FeatureImportConfig) -> "Companions":
        """Read the tables that are given; each is checked by itself.

        DataError where one cannot be read, lacks a column, holds a number out of range, or cannot
        be added to what is there.
        """
        given: tuple[tuple[AnnotationTable, Path | None], ...] = (
            ("labels", config.labels),
            ("ratings", config.ratings),
        )
        paths = {kind: path for kind, path in given if path is not None}
        there = ClassList.find(out) if config.append else None
        classes = there
        new: Path | ClassList | None = None
        if config.classes is not None:
            classes, new = ClassList.open(config.classes, full=True), config.classes
            if there is not None:
                _check_longer(classes, there, config.classes)
                new = new if len(classes) > len(there) else None
        elif there is None and (classes := names_in(paths)):
            _check_no_numbers(out, config, next(iter(paths.values())))
            new = classes
        tables = {kind: Annotations.read(path, kind, classes) for kind, path in paths.items()}
        if "ratings" in tables:
            tables["ratings"].check_windows()
        if classes is None and tables:
            largest = max(table.largest_index() for table in tables.values())
            classes = ClassList.numbered(largest + 1, inferred=True)
        for kind, path in paths.items():
            if config.append and (existing := find_annotations(out, kind)):
                joined(path, existing)
        return cls(out, config.append, tables, classes, new)

    def check_ids(self, ids: Iterable[str], *, is_vector: bool) -> None:
        """Check the tables against the ids; what is unknown is counted and named.

        Args:
            ids: of all videos of the data as they will be.
            is_vector: they have one vector each.

        Raises:
            DataError: no row of a table can be used.
        """
        if not self.tables:
            return
        assert self.classes is not None
        if is_vector and "ratings" in self.tables:
            raise DataError(
                "rates seconds, the features are one vector per video",
                where=self.tables["ratings"].path,
                hint="Leave --ratings out, or import features with frames.",
            )
        index = _index(self.out, dict.fromkeys(ids, 0), None)
        for kind, table in self.tables.items():
            entries = table.known(index, self.classes)
            self.entries = entries if kind == "ratings" else self.entries

    def check_times(self, frames: Mapping[str, int], features: Features) -> None:
        """Check that ratings begin in their videos.

        Args:
            frames: of each video that is written, by its id.
            features: of the data.

        Raises:
            DataError: one does not, with its row.
        """
        if self.entries is None:
            return
        there = dict[str, int]()
        if self.append:
            table = open_index(self.out, quiet=True).table
            there = dict(zip(table["id"].to_pylist(), table["frames"].to_pylist(), strict=True))
        index = _index(self.out, there | dict(frames), features)
        self.tables["ratings"].check_ratings(index, self.entries)

    def place(self, folder: Path) -> None:
        """Write the tables into a folder, with the rows of those in the data that are added to.

        OutputError where they cannot be written.
        """
        for kind, table in self.tables.items():
            existing = find_annotations(self.out, kind) if self.append else None
            _place(table.path, kind, folder, existing)
        if isinstance(self.new_classes, ClassList):
            self.new_classes.save(folder / _CLASSES)
            say(f"{_CLASSES}: the {len(self.new_classes):,} classes that labels and ratings name")
        elif self.new_classes is not None:
            with whole_file(folder / _CLASSES) as part:
                shutil.copyfile(self.new_classes, part)


def names_in(paths: Mapping[AnnotationTable, Path]) -> ClassList | None:
    """Return the classes that labels and ratings name; None where they are numbers."""
    names = set[str]()
    for kind in _KINDS:
        if kind not in paths:
            continue
        table = read_table(paths[kind])
        if "class" in table.column_names:
            for value in Annotations.read(paths[kind], kind, None).classes.unique().to_pylist():
                several = re.search(r"[;|\[]", value)  # a comma may be part of a name
                names |= {*split_cell(value)} if several else {value} - {""}
        else:
            names |= {name for name in table.column_names if name not in KNOWN_COLUMNS}
    if not names or all(name.isdecimal() for name in names):
        return None
    return ClassList(tuple(sorted(names)))


def joined(path: Path, existing: Path) -> pa.Table:
    """Return the rows of a table that is there, then those of another that it lacks.

    DataError where the columns are others, or cannot hold what is added.
    """
    old, new = read_table(existing), read_table(path)
    here, there = new.column_names, old.column_names
    if set(here) != set(there):
        what = f"cannot be added to {existing}: it has {', '.join(here)}, that has"
        hint = "Give a table with the same columns."
        raise DataError(f"{what} {', '.join(there)}", where=path, hint=hint)
    try:
        new = new.select(there).cast(old.schema)
    except (pa.ArrowException, ValueError) as error:
        what = f"cannot be added to {existing}: its columns are of other types"
        hint = f"Write it as {existing.suffix[1:]} with columns like those."
        raise DataError(f"{what} ({reason_of(error)})", where=path, hint=hint) from error
    known = {repr(row) for row in old.to_pylist()}
    lacking = [repr(row) not in known for row in new.to_pylist()]
    return pa.concat_tables([old, new.filter(pa.array(lacking, pa.bool_()))])


def _place(path: Path, kind: str, folder: Path, existing: Path | None) -> None:
    """Write a table as `folder`/kind and its ending, or by the name of an existing one."""
    name = existing.name if existing else f"{kind}{path.suffix.lower()}"
    with whole_file(folder / name) as part:
        if existing is None or existing.read_bytes() == path.read_bytes():
            shutil.copyfile(path, part)
            return
        table = joined(path, existing)
        if existing.suffix == ".parquet":
            with arrow_sink(part) as sink:
                pq.write_table(table, sink)
            return
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        delimiter = "\t" if existing.suffix == ".tsv" else ","
        write_rows(part, [table.column_names, *rows], delimiter)


def _check_longer(classes: ClassList, there: ClassList, path: Path) -> None:
    """Raise DataError where a class of the data is another in a list that is given."""
    mids = classes.mids and classes.mids[: len(there)]
    first = ClassList(classes.names[: len(there)], mids)
    first.check_same(there, where=path, other_where=there.source, hint=_LONGER)


def _check_no_numbers(out: Path, config: FeatureImportConfig, path: Path) -> None:
    """Raise DataError where classes are named, and data that are added to have numbers alone."""
    if not config.append or not out.is_dir():
        return
    tables = [file for kind in _KINDS if (file := find_annotations(out, kind))]
    if tables or open_index(out, quiet=True).num_classes:
        raise DataError(
            f"names classes; {out} has labels by numbers and no class list",
            where=path,
            hint="Say which number is which class: give --classes (index, name).",
        )


def _index(root: Path, frames: Mapping[str, int], features: Features | None) -> Index:
    """Return an index that holds ids and lengths alone."""
    lengths = pa.array(frames.values(), pa.int32())
    table = pa.table({"id": pa.array(frames.keys(), pa.string()), "frames": lengths})
    return Index(root, "frames", (), (), 0, table, features)
