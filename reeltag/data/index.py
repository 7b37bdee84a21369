"""The index of a data set: a row per record, and where in its shard each stream is."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from reeltag.core.files import PathLike
from reeltag.core.system.open_files import open_file
from reeltag.data.class_list import ClassList
from reeltag.data.features import Features
from reeltag.data.indexing.build import Build, locked, remove_left
from reeltag.data.indexing.header import Header, read_index_file
from reeltag.data.indexing.locations import (
    Shard,
    find_shards,
    index_places,
    writable_place,
)
from reeltag.data.indexing.unpacking import Unpacked, find_unpacked, unpack_shards
from reeltag.data.remote.mirror import Mirror, find_mirror
from reeltag.data.streams import TABLE_SCHEMA, Kind, Stream

__all__ = ["TABLE_SCHEMA", "Index", "Kind", "Stream", "open_index"]


@dataclass(frozen=True)
class Index:
    """What is in a data set. The columns of `table` are those of `TABLE_SCHEMA`.

    Attributes:
        root: the folder that the names of the shards are relative to.
        kind: "video" (float streams, one frame per record) or "frames".
        shards: names, sorted.
        streams: what every record that is not skipped holds, in the order of a batch.
        num_classes: that of the class list; without one, the largest label + 1.
        table: a row per record, by shard and offset.
        description: of the streams, where there is a features.json.
        stamps: of each shard, by which a change of it is noticed; empty where nothing is read.
        unpacked: number of a compressed shard -> file with its records.
        mirror: of the address in an object store that the shards are read from; None: of files.
    """

    root: Path
    kind: Kind
    shards: tuple[str, ...]
    streams: tuple[Stream, ...]
    num_classes: int
    table: pa.Table
    description: Features | None = None
    stamps: tuple[Shard, ...] = ()
    unpacked: Mapping[int, Unpacked] = field(default_factory=dict)
    mirror: Mirror | None = None

    @property
    def features(self) -> Features:
        """The description of the streams; without one, YouTube-8M's convention."""
        return self.description or Features.published(self.streams)

    def path(self, shard: int) -> Path:
        """Return the path of the file with the records of shard number `shard`.

        Of a shard in an object store it is there once it was opened.
        """
        if self.mirror is not None:
            return self.mirror.path(shard)
        unpacked = self.unpacked.get(shard)
        return self.root / self.shards[shard] if unpacked is None else unpacked.path

    def place(self, shard: int) -> str:
        """Return path or address of shard number `shard`, for errors."""
        return str(self.path(shard)) if self.mirror is None else self.mirror.place(shard)

    def open(self, shard: int) -> int:
        """Return a descriptor of the file of `path`; a remote shard is fetched first if need be.

        Args:
            shard: its number.

        Raises:
            OSError: the file cannot be opened.
            DataError: a remote shard cannot be reached, or has changed since it was indexed.
        """
        return open_file(self.path(shard)) if self.mirror is None else self.mirror.open(shard)

    def is_still(self, shard: int, status: os.stat_result) -> bool:
        """Return whether the file of `path` is as it was when the index was opened.

        Args:
            shard: number of the shard.
            status: of the open file.
        """
        if self.mirror is not None:
            return self.mirror.is_still(shard, status)
        unpacked = self.unpacked.get(shard)
        if unpacked is not None:
            return unpacked.file.is_still(status)
        return not self.stamps or self.stamps[shard].is_still(status)


def open_index(
    data: PathLike | Mirror,
    *,
    num_classes: int | None = None,
    jobs: int | None = None,
    verify: bool = True,
    quiet: bool = False,
    again: bool = False,
) -> Index:
    """Return the index of a data set, built or brought up to date first where that is needed.

    It is kept in `.reeltag` next to the data or, where that cannot be written to, in
    XDG_CACHE_HOME; that of an address in REELTAG_CACHE. Only new and changed shards are read.

    Args:
        data: folder with shards in or below it, or one of them; or an address of such.
        num_classes: labels from here on are dropped; None: that of the class list found with the
            data, or, without one, as the labels need.
        jobs: processes that read shards; None = one per core, 1 = none but this one.
        verify: check the checksums of all payloads while reading them.
        quiet: show no progress bar.
        again: read all shards, whatever an index has of them.

    Raises:
        DataError: no shard is there, one cannot be read, or they hold different things.
        OutputError: the index cannot be written anywhere.
    """
    mirror = find_mirror(data)
    data, root, shards, local = _found_shards(mirror or data)
    features = Features.find_only(root, [shard.name for shard in shards])
    num_classes = _num_listed(data) if num_classes is None else num_classes

    def fresh() -> Index | None:
        for place, header, table in _found(data):
            same = (header.shards, header.vocabulary) == (tuple(shards), num_classes)
            same = same and header.is_described_by(features) and (header.verified or not verify)
            if same and (index := _index(root, features, place, header, table)):
                return replace(index, mirror=mirror)
        return None

    index = None if again else fresh()
    if index is None:
        with locked(folder := writable_place(data), data):
            index = None if again else fresh()  # another process may have built it
            if index is None:
                Build(
                    root=root,
                    shards=tuple(shards),
                    unpacked=unpack_shards(root, local, folder, jobs=jobs, quiet=quiet),
                    mirror=mirror,
                    folder=folder,
                    vocabulary=num_classes,
                    features=features,
                    old=None if again else next((found[1:] for found in _found(data)), None),
                    jobs=jobs,
                    verify=verify,
                    quiet=quiet,
                ).run()
                index = fresh()
    return cast(Index, index)  # it was built of what `find_shards` saw


def _num_listed(data: Path) -> int | None:
    """Return the number of classes of the list that is found with the data; None without one."""
    classes = ClassList.find(data)
    return None if classes is None else len(classes)


def _found_shards(data: PathLike | Mirror) -> tuple[Path, Path, list[Shard], list[Shard]]:
    """Return the path that the index is of, the root folder, the shards, and those on a disk."""
    if isinstance(data, Mirror):
        return data.folder, data.folder, data.stamps, []
    root, shards = find_shards(Path(data))
    return Path(data), root, shards, shards


def _found(data: Path) -> Iterator[tuple[Path, Header, pa.Table]]:
    """Yield the indexes of a data set that can be opened, fresh or not, with their folders."""
    for place in index_places(data):
        found = read_index_file(place / "index.arrow")
        if found is not None:
            remove_left(place)
            yield place, *found


def _index(
    root: Path, features: Features | None, place: Path, header: Header, table: pa.Table
) -> Index | None:
    """Return an index that was read; None where the records of a compressed shard are not there."""
    unpacked = find_unpacked(place, header.packed())
    if unpacked is None:
        return None
    number = {shard: at for at, shard in enumerate(header.shards)}
    return Index(
        root=root,
        kind=header.kind,
        shards=tuple(shard.name for shard in header.shards),
        streams=header.streams,
        num_classes=header.num_classes,
        table=table,
        description=features,
        stamps=header.shards,
        unpacked={number[shard]: found for shard, found in unpacked.items()},
    )
