"""An address as a folder of this machine: its small files whole, its shards when they are read."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath

from reeltag.core.addresses import address_of
from reeltag.core.errors import DataError
from reeltag.core.fields import parse_json
from reeltag.core.files import PathLike, write_json
from reeltag.core.parts import remove_dead_parts
from reeltag.data.annotation_tables import SUFFIXES
from reeltag.data.class_list import CLASS_LISTS, SEGMENT_CLASSES
from reeltag.data.features import FEATURES_FILE
from reeltag.data.indexing.locations import CACHE, Shard
from reeltag.data.indexing.shard_names import SHARD_NAMES, is_shard_name, looks_like_shard
from reeltag.data.remote.ahead import ReadAhead
from reeltag.data.remote.cache import ShardCache, cache_limit, remote_folder
from reeltag.data.remote.ranged import RemoteShard
from reeltag.data.remote.store import ObjectStore, RemoteObject
from reeltag.data.synth.about import MARKER as SYNTHETIC

_ABOUT = "remote.json"
_LEVELS = 2  # folders above the data in which a class list is looked for
_MOST_AHEAD = 16  # shards
_IN_ROOT = {
    *CLASS_LISTS,
    SEGMENT_CLASSES,
    SYNTHETIC,
    *(f"{kind}{suffix}" for kind in ("labels", "ratings") for suffix in SUFFIXES),
}


@dataclass(frozen=True)
class Mirror:
    """An address, and the folder of this machine in which its data set is opened.

    Attributes:
        address: that was given.
        cache: of its shards; their names are relative to its store's address.
        shards: by name.
        files: all other objects that are there.
    """

    address: str
    cache: ShardCache
    shards: tuple[RemoteObject, ...]
    files: tuple[RemoteObject, ...]

    @property
    def folder(self) -> Path:
        """The folder of this machine."""
        return self.cache.folder

    @property
    def num_bytes(self) -> int:
        """Bytes of all shards."""
        return sum(shard.size for shard in self.shards)

    @cached_property
    def stamps(self) -> list[Shard]:
        """The shards as an index knows them: the hash of the store's identity is the ctime."""
        return [
            Shard(of.name, of.size, of.modified_s * 10**9, _number_of(of.identity), 0)
            for of in self.shards
        ]

    def file_address(self, path: Path) -> str | None:
        """Return the address of a small file in the folder; None for another file."""
        if not path.is_relative_to(self.folder):
            return None
        return self.cache.store.place(path.relative_to(self.folder).as_posix())

    def local_file(self, address: str) -> Path | None:
        """Return where a small file of the address is on this machine; None for another one."""
        names = {self.cache.store.place(of.name): of.name for of in self.files}
        path = self.folder / names.get(address, "")
        return path if path.is_file() else None

    def source(self, name: str) -> RemoteShard:
        """Return a shard as a source of bytes, to be read through once.

        Where all shards fit the cache they are kept in it, so that each is fetched once.
        """
        keep = self.num_bytes <= cache_limit()
        return RemoteShard(self.cache, self.shards[self._number[name]], keep)

    def path(self, shard: int) -> Path:
        """Return the path of shard number `shard` on this machine, where it is or would be."""
        return self.cache.path(self.shards[shard])

    def is_still(self, shard: int, status: os.stat_result) -> bool:
        """Return whether the file of a shard is as it was fetched."""
        return self.cache.is_still(self.shards[shard], status)

    def place(self, shard: int) -> str:
        """Return the address of shard number `shard`."""
        return self.cache.store.place(self.shards[shard].name)

    def open(self, shard: int) -> int:
        """Return a descriptor of shard number `shard`; errors as `ShardCache.fetch`."""
        return self.cache.open(self.shards[shard])

    def read(self, shard: int, begin: int, end: int) -> bytes:
        """Return some bytes of a shard, fetched by themselves.

        Args:
            shard: its number.
            begin: of the first byte.
            end: behind the last one.

        Raises:
            DataError: they cannot be fetched.
        """
        return self.cache.store.read(self.shards[shard].name, begin, end)

    def read_ahead(self) -> ReadAhead:
        """Return what fetches shards before they are read: as many as a quarter of the cache."""
        largest = max(shard.size for shard in self.shards)
        count = cache_limit() // 4 // max(1, largest)
        return ReadAhead(
            lambda shard: self.cache.fetch(self.shards[shard]), max(1, min(_MOST_AHEAD, count))
        )

    @cached_property
    def _number(self) -> dict[str, int]:
        return {shard.name: number for number, shard in enumerate(self.shards)}


def find_mirror(data: "PathLike | Mirror") -> Mirror | None:
    """Return the mirror of an address, as the store is now; None for a path of this machine.

    Args:
        data: address, its folder on this machine, or a mirror; or any other path.

    Raises:
        DataError: the address cannot be read, or has no shards.
        OutputError: the folder cannot be written to.
        MissingPackageError: the client of the store is not installed.
    """
    if isinstance(data, Mirror):
        return data
    address = address_of(data) or _address_in(Path(data))
    return None if address is None else _synchronised(address)


def local_folder(data: Path) -> Path:
    """Return the folder of an address on this machine, or a path as it is; errors as above."""
    mirror = find_mirror(data)
    return data if mirror is None else mirror.folder


def _address_in(folder: Path) -> str | None:
    """Return the address that a folder is the mirror of; None where it is none."""
    try:
        address = str(parse_json((folder / _ABOUT).read_bytes())["address"])
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return address if folder.name == _folder_of(address).name else None


def _folder_of(address: str) -> Path:
    """Return the folder of an address, whose name a person can read."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", address)[-80:].strip("-.")
    return remote_folder().absolute() / f"{words}~{sha256(address.encode()).hexdigest()[:16]}"


def _synchronised(address: str) -> Mirror:
    """Return the mirror of an address, after its small files were fetched where they are new."""
    store = ObjectStore(address)
    objects = [of for of in store.objects() if _is_plain(of.name)]
    if [of.name for of in objects] == [""] and is_shard_name(PurePosixPath(address).name):
        store = ObjectStore(address.rpartition("/")[0])
        objects = store.here()
        shards = [of for of in objects if store.place(of.name) == address]
    else:
        shards = [of for of in objects if is_shard_name(PurePosixPath(of.name).name)]
    _check_shards(address, shards, objects)
    mirror = Mirror(
        address,
        ShardCache(store, _folder_of(address)),
        tuple(sorted(shards)),
        tuple(of for of in objects if of not in shards),
    )
    remove_dead_parts(mirror.folder / CACHE / "shards")
    _fetch_files(mirror)
    return mirror


def _is_plain(name: str) -> bool:
    """Return whether a name can be a path in a folder and leads nowhere else."""
    return not name or not {"", ".", "..", CACHE} & set(re.split(r"[/\\]", name))


def _check_shards(address: str, shards: list[RemoteObject], objects: list[RemoteObject]) -> None:
    """Raise DataError where there are no shards, or some are compressed."""
    if not shards:
        others = [of.name for of in objects if looks_like_shard(PurePosixPath(of.name).name)]
        raise DataError(
            f"has no shard: {SHARD_NAMES}"
            + (f"; there are {len(others)} like {min(others)}" if others else ""),
            where=address,
            hint="Give the address that the shards are in or below.",
        )
    if packed := [of.name for of in shards if of.name.endswith(".gz")]:
        raise DataError(
            f"has {len(packed)} compressed shards, such as {packed[0]}",
            where=address,
            hint="In a store shards are read as they are: `gunzip` them, or copy them to a folder "
            "of this machine.",
        )


def _fetch_files(mirror: Mirror) -> None:
    """Fetch the small files of an address, and remove those that are there no more."""
    wanted = dict(_small_files(mirror))
    known = _known_files(mirror.folder)
    for name in known.keys() - wanted.keys():
        (mirror.folder / name).unlink(missing_ok=True)
    fetched = {}
    for name, (store, of) in wanted.items():
        path = mirror.folder / name
        if known.get(name) != [of.size, of.identity] or not path.is_file():
            ShardCache(store, mirror.folder).copy(of, path)
        fetched[name] = [of.size, of.identity]
    if fetched != known or _address_in(mirror.folder) is None:
        write_json(mirror.folder / _ABOUT, {"address": mirror.address, "files": fetched})


def _known_files(folder: Path) -> dict[str, object]:
    """Return what the files of a folder were when they were fetched: name -> size and identity."""
    try:
        files: dict[str, object] = dict(parse_json((folder / _ABOUT).read_bytes())["files"])
    except (OSError, KeyError, TypeError, ValueError):
        return {}
    return {name: of for name, of in files.items() if _is_plain(name)}


def _small_files(mirror: Mirror) -> Iterator[tuple[str, tuple[ObjectStore, RemoteObject]]]:
    """Yield files that say what the shards hold: name in the folder, where it is, and what."""
    store, found = mirror.cache.store, False
    for of in mirror.files:
        if of.name in _IN_ROOT or PurePosixPath(of.name).name == FEATURES_FILE:
            found |= of.name in CLASS_LISTS
            yield of.name, (store, of)
    for above in [] if found else _above(store.address):
        with suppress(DataError):  # it need not be open to us
            lists = {of.name: of for of in above.here() if of.name in CLASS_LISTS}
            if first := next((name for name in CLASS_LISTS if name in lists), None):
                yield first, (above, lists[first])
                return


def _above(address: str) -> list[ObjectStore]:
    """Return the folders of a bucket above an address, the nearest first."""
    scheme, _, rest = address.partition("://")
    words = rest.split("/")
    root = 3 if scheme == "hf" else 1  # datasets/user/name
    ends = range(len(words) - 1, max(root, len(words) - 1 - _LEVELS) - 1, -1)
    return [ObjectStore(f"{scheme}://{'/'.join(words[:end])}") for end in ends]


def _number_of(identity: str) -> int:
    """Return 62 bits of a hash of an identity."""
    return int.from_bytes(sha256(identity.encode()).digest()[:8], "big") >> 2
