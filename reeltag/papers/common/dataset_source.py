"""A data set as an input of steps: known by its content, wherever it is.

source = dataset_source(Dataset.open("DATA", labels="labels.csv"))
trained = step(train, source, ...)              # `train` gets a DataLocation,
data = open_data(location, splits=splits)       # and opens the data set there
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset, FileSource, files_of_source
from reeltag.data.index import Index
from reeltag.data.items import unaligned_ratings
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.pipeline.steps import Source

_ROWS = 65_536  # hashed at a time
_REQUESTS = 16  # to an object store at a time
_SAMPLES = 1000  # records whose checksum is looked at
_COLUMNS = (
    "shard",
    "size",
    "id",
    "frames",
    "labels",
    "segment_starts",
    "segment_labels",
    "segment_scores",
    "skip",
)


@dataclass(frozen=True, eq=False)
class DatasetFiles:
    """Where a data set is, for a step that opens it: its folder, and files given with it.

    Attributes:
        path: folder or shard.
        given: files in place of what the records hold: "classes", "labels", "ratings" -> path, or
            paths of files that are joined.
        digests: SHA-256 of each of these; a changed file is other data.
    """

    path: Path
    given: Mapping[str, FileSource] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def open(self, splits: Splits = PUBLISHED_SPLITS, *, quiet: bool = False) -> Dataset:
        """Open the data set; see `Dataset.open`."""
        listed = files_of_source(self.given.get("classes", ()))
        return Dataset.open(
            self.path,
            classes=listed[0] if listed else None,
            labels=self.given.get("labels", ()),  # none: those of the records, whatever is there
            ratings=self.given.get("ratings", ()),
            splits=splits,
            quiet=quiet,
        )

    def check(self) -> None:
        """Raise DataError where a given file is gone, or has changed since steps were planned."""
        for name, source in self.given.items():
            if _digest(source) != self.digests[name]:
                raise DataError(
                    f"has changed since the steps that read these {name} were planned",
                    where=_shown(source),
                    hint="Run the same command again: what depends on the file is computed again.",
                )


DataLocation: TypeAlias = Path | DatasetFiles  # of data that a step wrote, or of a data set


def files_of(data: DataLocation) -> DatasetFiles:
    """Return where a data set is, as an object with the files given with it."""
    return data if isinstance(data, DatasetFiles) else DatasetFiles(data)


def open_data(
    data: DataLocation, splits: Splits = PUBLISHED_SPLITS, *, quiet: bool = False
) -> Dataset:
    """Return the data set that a step gets as an input, divided by a rule.

    Args:
        data: where it is.
        splits: the rule that gives a shard its split.
        quiet: show no progress.

    Raises:
        DataError: it cannot be read, or a file given with it has changed.
    """
    files = files_of(data)
    files.check()
    return files.open(splits, quiet=quiet)


@dataclass(frozen=True, eq=False)
class DatasetSource(Source):
    """A data set as an input of steps, known by its content.

    Attributes:
        files: folder and given files.
    """

    files: DatasetFiles = field(kw_only=True)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folder and the given files."""
        given = self.files.given.values()
        return (self.path, *(file for source in given for file in files_of_source(source)))

    @cached_property
    def without_ratings(self) -> "DatasetSource":
        """The same without a given file of ratings, for steps that read none: they outlast it."""
        others = {name: file for name, file in self.files.given.items() if name != "ratings"}
        if len(others) == len(self.files.given):
            return self
        return dataset_source(DatasetFiles(self.path, others).open(quiet=True))

    def locate(self, folder_of: Callable[[Any], Path]) -> DataLocation:
        """Return folder and given files; the folder alone where none is given."""
        return self.files if self.files.given else self.path

    def label(self) -> str:
        """Return name, key and path, and each given file with the first digits of its SHA-256."""
        given = self.files.given.items()
        words = [
            f", {name} {_shown(file)} sha256:{self.files.digests[name][:12]}"
            for name, file in given
        ]
        return f"{self.name}-{self.key} ({self.path}{''.join(words)})"


def dataset_source(data: Dataset) -> DatasetSource:
    """Return a data set as an input of steps.

    Its fingerprint covers the names of the shards, the classes, everything that is known of every
    record (id, labels, rated segments, frames), and the stored checksums of 1000 records spread
    over the data set, so that features extracted again are other data. Labels, ratings and classes
    are those that count, from the records or from files given with them: a file that changes them
    is other data. Moving or touching files changes nothing. One pass over the index: seconds for
    6 M records.

    Args:
        data: the data set.

    Raises:
        ConfigError: the class list is of no file, from which a step could read it; or the data set
            has splits of its own, which the program chooses.
        DataError: a shard cannot be read.
    """
    if not data.classes.source and not data.classes.inferred:
        raise ConfigError(
            "the class list is in memory alone, and every step opens the data set again",
            where=data.location,
            hint="Save it (ClassList.save), and give its file: Dataset.open(..., classes=FILE).",
        )
    if data.splits != PUBLISHED_SPLITS:
        raise ConfigError(
            f"is divided by {data.splits}, and a program divides its data itself",
            where=data.location,
            hint="Open it without splits=; programs that can divide it otherwise have --train, "
            "--validate and --test.",
        )
    state = hashlib.sha256()
    for part in _parts(data):
        state.update(hashlib.sha256(part).digest())
    digests = {name: _digest(file) for name, file in data.sources.items()}
    files = DatasetFiles(data.path, data.sources, digests)
    return DatasetSource(data.path, state.hexdigest(), files=files)


def _shown(source: FileSource) -> str:
    return " and ".join(map(str, files_of_source(source)))


def _digest(source: FileSource) -> str:
    """Return the SHA-256 of a file; of several, that of theirs."""
    digests = []
    for file in files_of_source(source):
        try:
            with file.open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})", where=file) from error
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _parts(data: Dataset) -> Iterator[bytes]:
    yield repr((data.kind, data.shards, data.streams, data.num_classes)).encode()
    yield repr(None if data.classes.inferred else data.classes.names).encode()
    listed = data.segment_classes()
    yield repr(None if listed is None else listed.listed).encode()
    if data.index.description is not None:
        yield repr(data.features).encode()
    columns = list(_COLUMNS)
    if unaligned := unaligned_ratings(data) > 0:
        columns.insert(columns.index("segment_starts") + 1, "segment_ends")
    for start in range(0, len(data.table), _ROWS):
        rows = data.table.slice(start, _ROWS)
        for name in columns:
            column = rows[name].combine_chunks()
            if name == "segment_starts" and not unaligned:  # whole seconds, as in earlier keys
                column = column.cast(pa.list_(pa.int32()))
            yield from _bytes(column)
    yield from _checksums(data.index)


def _bytes(column: pa.Array) -> Iterator[bytes]:
    """Yield the values of a column, whatever its chunks and bitmaps look like in memory."""
    if isinstance(column, pa.ChunkedArray):  # as older versions of pyarrow return it
        column = pa.concat_arrays(column.chunks)
    if pa.types.is_list(column.type):
        yield pc.fill_null(pc.list_value_length(column), -1).to_numpy().tobytes()
        yield column.flatten().to_numpy(zero_copy_only=False).tobytes()
    elif pa.types.is_string(column.type):
        yield "\0".join(column.fill_null("").to_pylist()).encode()
    else:
        yield column.to_numpy(zero_copy_only=False).tobytes()


def _checksums(index: Index) -> Iterator[bytes]:
    """Yield the 4 bytes behind the payload of some records: the checksum of the payload."""
    count = len(index.table)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).astype(np.int64))
    rows = index.table.select(["shard", "offset", "size"]).take(chosen).to_pylist()
    places = [(row["shard"], row["offset"] + row["size"]) for row in rows]
    if (mirror := index.mirror) is not None:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from pool.map(lambda place: mirror.read(place[0], place[1], place[1] + 4), places)
        return
    for shard, end in places:
        path = index.path(shard)
        try:
            with path.open("rb") as file:
                file.seek(end)
                yield file.read(4)
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})", where=path) from error
