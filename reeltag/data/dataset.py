"""A data set in one object: records, classes, labels, ratings and splits.

data = Dataset.open("DATA", labels="labels.csv")
items = data.videos("train", streams=("audio",))
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.addresses import address_of
from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.core.files import PathLike, to_paths
from reeltag.data.annotations import (
    AnnotationKind,
    Annotations,
    find_annotations,
    with_labels,
    with_ratings,
)
from reeltag.data.class_list import ClassList, find_segment_classes
from reeltag.data.features import Features
from reeltag.data.index import Index, open_index
from reeltag.data.indexing.shard_names import SHARD_NAMES, is_shard_name
from reeltag.data.items import VideoSet, rated_segments, videos
from reeltag.data.label_names import with_named_labels, with_named_ratings
from reeltag.data.remote.mirror import find_mirror
from reeltag.data.selection import Records, Which, select
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.data.streams import Kind, Stream

Files: TypeAlias = PathLike | Sequence[PathLike] | None  # of labels or ratings
_IN_RECORDS: dict[AnnotationKind, tuple[str, ...]] = {
    "labels": ("labels", "label_names"),
    "ratings": ("segment_labels", "segment_names"),
}  # columns of the index
_LOOKED_INTO = 8  # shards of an object store
FileSource: TypeAlias = Path | tuple[Path, ...]  # one file, or several that are joined


@dataclass(frozen=True, eq=False)
class Dataset:
    """What every entry point reads: train, predict, evaluate, soft labels, papers, reports.

    Attributes:
        path: folder or shard, as given; of an address in an object store, the folder of this
            machine that stands for it.
        index: a row per record; labels and ratings in it are those that count.
        classes: C classes.
        splits: the rule that gives a shard its split.
        sources: files in place of what the records hold: "classes" that were given, "labels" and
            "ratings" that were given or found -> absolute path, or paths of files that are
            joined. `Dataset.open(path, **sources)` opens the same again.
    """

    path: Path
    index: Index
    classes: ClassList
    splits: Splits = PUBLISHED_SPLITS
    sources: dict[str, FileSource] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        classes: PathLike | ClassList | None = None,
        labels: Files = None,
        ratings: Files = None,
        splits: Splits = PUBLISHED_SPLITS,
        jobs: int | None = None,
        verify: bool = True,
        quiet: bool = False,
    ) -> "Dataset":
        """Open a data set; its index is built or brought up to date first where that is needed.

        Args:
            path: folder with shards (*.tfrecord, ...) in or below it, or one of them; or the
                address of such in an object store: s3://, gs:// or hf://datasets/.
            classes: class list or its file; None: the nearest classes.csv, vocabulary.csv or
                class_labels_indices.csv of the folder and its two parents, or else numbers.
            labels: CSV or Parquet with columns id, class that replaces the records' labels, or
                several, which are joined; None: labels.csv or labels.parquet of the folder, or
                else the records'; (): the records'.
            ratings: the same for ratings, with columns id, start_s, end_s, class, value in
                [0, 1]; ratings.csv or ratings.parquet of the folder.
            splits: the rule that gives a shard its split.
            jobs: processes that read new shards; None: one per core, 1: this one only.
            verify: check the checksums of payloads when they are indexed.
            quiet: show no progress.

        Raises:
            DataError: nothing is there, a file cannot be read, or they do not fit each other.
            OutputError: the index cannot be written anywhere.
            MissingPackageError: it is an address, and the client of its store is not installed.
        """
        mirror = find_mirror(path)
        path = Path(path) if mirror is None else mirror.folder
        _check_path(path)
        listed = classes.source if isinstance(classes, ClassList) else classes
        sources: dict[str, FileSource] = {"classes": Path(listed).resolve()} if listed else {}
        if classes is None:
            classes = ClassList.find(path)
        elif not isinstance(classes, ClassList):
            classes = ClassList.open(classes, full=True)
        size = None if classes is None else len(classes)
        index = open_index(mirror or path, num_classes=size, jobs=jobs, verify=verify, quiet=quiet)
        files = {
            "labels": _chosen(path, "labels", labels, index),
            "ratings": _chosen(path, "ratings", ratings, index),
        }
        index, classes = _annotated(index, classes, files["labels"], files["ratings"])
        index = replace(index, num_classes=len(classes))
        sources |= {
            kind: some[0] if len(some) == 1 else some for kind, some in files.items() if some
        }
        return cls(path, index, classes, splits, sources)

    def __len__(self) -> int:
        """Return the number of records, those that are skipped included."""
        return len(self.index.table)

    def __repr__(self) -> str:
        """Return kind, size, streams and classes, as in "Dataset('DATA', 120 videos, ...)"."""
        streams = ", ".join(f"{stream.name} {stream.width}" for stream in self.streams)
        kind = "video" if self.kind == "video" else "frame"
        what = f"{len(self):,} {kind}-level records in {len(self.shards)} shards"
        return f"Dataset({self.location!r}: {what}, {streams}, {self.num_classes:,} classes)"

    @property
    def location(self) -> str:
        """The address, or else the path as given, for who reads it."""
        return str(self.path) if self.index.mirror is None else self.index.mirror.address

    @property
    def whole_location(self) -> str:
        """The address, or else the path without links from the root on, to find it again."""
        return str(self.path.resolve()) if self.index.mirror is None else self.location

    @property
    def root(self) -> Path:
        """The folder that the names of the shards are relative to."""
        return self.index.root

    @property
    def kind(self) -> Kind:
        """Whether a record is one vector ("video") or frames ("frames")."""
        return self.index.kind

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the shards, sorted."""
        return self.index.shards

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What every usable record holds, in the order of a batch."""
        return self.index.streams

    @property
    def features(self) -> Features:
        """What the stored values are: rate, streams, scale and offset, encoders."""
        return self.index.features

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.classes)

    @property
    def table(self) -> pa.Table:
        """A row per record, with the columns of `reeltag.data.streams.TABLE_SCHEMA`."""
        return self.index.table

    def with_splits(self, splits: Splits) -> "Dataset":
        """Return the same data divided by another rule."""
        return replace(self, splits=splits)

    def shards_of(self, split: Split) -> list[int]:
        """Return the numbers of the shards of a split, ascending; ConfigError where it is empty."""
        return self.splits.shards(self.index, split)

    def rows(self, split: Split) -> NDArray[np.int64]:
        """Return (V,) the rows of the table that are usable records of a split, ascending."""
        mine = np.isin(self.table["shard"].to_numpy(), self.shards_of(split))
        return np.flatnonzero(mine & ~self.table["skip"].to_numpy())

    def rows_to_look_into(self) -> NDArray[np.bool_]:
        """Return (R,) which rows a look into the data may read: of remote data, of a few shards."""
        shard = self.table["shard"].to_numpy()
        if self.index.mirror is None:
            return np.ones(len(shard), bool)
        few = np.linspace(0, len(self.shards) - 1, min(len(self.shards), _LOOKED_INTO))
        return np.isin(shard, few.astype(np.int64))

    def select(self, split: Split = "all", **which: Unpack[Which]) -> Records:
        """Return the usable records of a split; see `reeltag.data.selection.select`."""
        return select(self, split, **which)

    def videos(self, split: Split = "train", **which: Unpack[Which]) -> VideoSet:
        """Return the whole videos of a split; see `reeltag.data.items.videos`."""
        return videos(self, split, **which)

    def rated_segments(self, split: Split = "train", **which: Unpack[Which]) -> VideoSet:
        """Return the rated segments of a split; see `reeltag.data.items.rated_segments`."""
        return rated_segments(self, split, **which)

    def segment_classes(self) -> ClassList | None:
        """Return the classes that segments are scored for, by segment_label_ids.csv in the folder.

        Raises:
            DataError: it lists a class that the data do not have.
        """
        path = find_segment_classes(self.path)
        listed = None if path is None else ClassList.open(path)
        if listed is not None:
            listed.mask(self.num_classes)
        return listed

    def class_indices(self, wanted: Sequence[str]) -> tuple[int, ...]:
        """Return the indices of classes by name, MID or index, each once; see `ClassList`."""
        return tuple(dict.fromkeys(self.classes.index_of(name) for name in wanted))


def files_of_source(source: FileSource) -> tuple[Path, ...]:
    """Return the files of an entry of `Dataset.sources`, one or several."""
    return (source,) if isinstance(source, Path) else source


def _check_path(path: Path) -> None:
    """Raise DataError where a path is that of a file which is no shard."""
    if path.is_file() and not is_shard_name(path.name):
        raise DataError(
            f"is neither a folder nor a shard: {SHARD_NAMES}",
            where=path,
            hint="Give the folder that holds the shards, or one of them.",
        )


def _annotated(
    index: Index,
    classes: ClassList | None,
    labels: Sequence[Path],
    ratings: Sequence[Path],
) -> tuple[Index, ClassList]:
    """Return the index with labels and ratings of files, and with a class list if there is none."""
    label_tables = [Annotations.read(file, "labels", classes) for file in labels]
    rating_tables = [Annotations.read(file, "ratings", classes) for file in ratings]
    if not labels:
        index = with_named_labels(index, classes)
    if not ratings:
        index = with_named_ratings(index, classes)
    if classes is None:
        largest = (table.largest_index() for table in (*label_tables, *rating_tables))
        found = max([index.num_classes, *(1 + label for label in largest)])
        classes = ClassList.numbered(found, inferred=True)
    if labels:
        index = with_labels(index, label_tables, classes)
    if ratings:
        index = with_ratings(index, rating_tables, classes)
    return index, classes


def _chosen(data: Path, kind: AnnotationKind, given: Files, index: Index) -> tuple[Path, ...]:
    """Return the files of labels or ratings that count, absolute; none: those of the records."""
    if given is None:
        found = find_annotations(data, kind)
        if found is None:
            return ()
        if _are_in_records(index, kind):
            say(f"{kind} are those of {found}, in place of those in the records")
        return (found,)
    files = tuple(_whole(file, index) for file in to_paths(given))
    if len(files) > 1:
        say(f"{kind} are those of {' and '.join(map(str, files))}, joined")
    return files


def _whole(file: Path, index: Index) -> Path:
    """Return the absolute path of a file; of one in the object store of the data, its copy."""
    address = address_of(file)
    if address is None:
        return file.resolve()
    found = index.mirror.local_file(address) if index.mirror else None
    if found is None:
        raise DataError(
            "is not read: such files are in the folder of the data, labels.csv or ratings.csv, or "
            "on this machine",
            where=address,
            hint="Copy it to one of these.",
        )
    return found


def _are_in_records(index: Index, kind: AnnotationKind) -> bool:
    """Return whether any record has labels or ratings."""
    counts = (pc.list_value_length(index.table[column]) for column in _IN_RECORDS[kind])
    return any(pc.max(count).as_py() for count in counts)
