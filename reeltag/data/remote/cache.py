"""Shards of object stores as files of this machine, as far as a folder of a given size holds them.

    REELTAG_CACHE/remote/          else XDG_CACHE_HOME/reeltag/remote, ~/.cache/reeltag/remote
        s3-bucket-folder~1f2e3d4c5b6a7988/
            remote.json            the address, and what is in the folder
            classes.csv, ...       small files of the address, whole
            .reeltag/index.arrow   the index, built by reading the address
            .reeltag/shards/       shards that were read last

REELTAG_CACHE_GB (20) bounds the shards of all addresses together; those that were opened longest
ago are removed. A file has the time of its object, and a hash of the object's name, size and ETag
in its name: of an object that has changed, it is another file.
"""

import hashlib
import math
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.files import whole_file
from reeltag.core.formatting import format_size
from reeltag.core.locks import try_lock
from reeltag.core.system.open_files import open_file, write_at
from reeltag.data.indexing.locations import CACHE, cache_folder
from reeltag.data.remote.store import ObjectStore, RemoteObject

FOLDER, SIZE = "REELTAG_CACHE", "REELTAG_CACHE_GB"  # names of environment variables
BLOCK = 8 << 20  # bytes of a request
_REQUESTS = 8  # of one shard at a time
_DEFAULT_GB = 20.0
_POLL = 0.05  # s between looks at a shard that another process or thread fetches
_LOCK = ".lock"
_MAKING_ROOM = threading.Lock()


def remote_folder() -> Path:
    """Return the folder of all that is kept of object stores."""
    given = os.environ.get(FOLDER)
    return (Path(given) if given else cache_folder()) / "remote"


def cache_limit() -> int:
    """Return how many bytes of shards are kept; ConfigError where REELTAG_CACHE_GB is no size."""
    text = os.environ.get(SIZE, "")
    with suppress(ValueError):
        if 0 < (size := float(text or _DEFAULT_GB)) < math.inf:
            return int(size * 1e9)
    raise ConfigError(f"must be a number of gigabytes above 0, got {text!r}", where=SIZE)


@dataclass(frozen=True)
class ShardCache:
    """The shards of one address that are on this machine.

    Attributes:
        store: of the address.
        folder: that mirrors the address.
    """

    store: ObjectStore
    folder: Path

    def path(self, shard: RemoteObject) -> Path:
        """Return the path of a shard that is, or would be, on this machine."""
        key = f"{shard.name}\0{shard.size}\0{shard.identity}\0{shard.modified_s}"
        digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]
        name = PurePosixPath(shard.name).name
        short = name.encode(errors="surrogateescape")[-160:].decode(errors="ignore")
        return self.folder / CACHE / "shards" / f"{digest}~{short}"

    def is_still(self, shard: RemoteObject, status: os.stat_result) -> bool:
        """Return whether a file is as it was fetched, by its size and time."""
        return (status.st_size, int(status.st_mtime)) == (shard.size, shard.modified_s)

    def open(self, shard: RemoteObject) -> int:
        """Return a descriptor of a shard, fetched if need be; errors as `fetch`."""
        while True:  # another process may remove it in between
            path = self.fetch(shard)
            with suppress(FileNotFoundError):
                opened = open_file(path)
                with suppress(OSError):  # used now
                    os.utime(path, ns=(time.time_ns(), shard.modified_s * 10**9))
                return opened

    def is_here(self, shard: RemoteObject) -> bool:
        """Return whether a shard is on this machine, whole."""
        try:
            return self.is_still(shard, self.path(shard).stat())
        except OSError:
            return False

    def fetch(self, shard: RemoteObject) -> Path:
        """Return the path of a shard that is on this machine; it is fetched if need be.

        One that another process or thread is fetching is waited for.

        Args:
            shard: as it was listed.

        Raises:
            DataError: it cannot be reached, or is not as it was listed.
            ConfigError: it is larger than all that may be kept.
            OutputError: the disk is full, or does not keep the times of files.
        """
        path = self.path(shard)
        while not self.is_here(shard):
            with try_lock(path.with_name(path.name + _LOCK)) as is_ours:
                if is_ours and not self.is_here(shard):
                    self._download(shard, path)
                    self._check_kept(shard, path)
            if not is_ours:
                time.sleep(_POLL)
        return path

    def check_same(self, shard: RemoteObject) -> None:
        """Raise DataError where an object is not as it was listed, or not there."""
        if not self.store.look(shard.name).is_same(shard):
            raise self.changed(shard)

    def changed(self, shard: RemoteObject) -> DataError:
        """Return the error for an object that is not as it was listed."""
        return DataError(
            "has changed since it was indexed",
            where=self.store.place(shard.name),
            hint="Run the command again: changed shards are indexed again.",
        )

    def _check_kept(self, shard: RemoteObject, path: Path) -> None:
        """Raise OutputError where a disk does not keep the size and the time of a file."""
        if path.exists() and not self.is_here(shard):
            raise OutputError(
                "has another time than it was given, in whole seconds",
                where=path,
                hint=f"Set {FOLDER} to a folder on another disk.",
            )

    def copy(self, of: RemoteObject, path: Path) -> None:
        """Copy an object to a file, which appears whole; errors as `fetch`."""
        with whole_file(path, durable=False) as part:
            self._copy(of, part)

    def _download(self, shard: RemoteObject, path: Path) -> None:
        """Copy a shard to its file, and remove others if need be."""
        with whole_file(path, durable=False) as part:
            self._make_room(shard, part)
            self._copy(shard, part)

    def _copy(self, of: RemoteObject, part: Path) -> None:
        """Fill a file by several requests at a time, and give it the time of its object."""
        file = open_file(part, os.O_RDWR)
        try:
            with ThreadPoolExecutor(_REQUESTS) as pool:
                begins = range(0, of.size, BLOCK)
                for done in [pool.submit(self._block, of, file, at) for at in begins]:
                    done.result()
        finally:
            os.close(file)
        self.check_same(of)
        os.utime(part, ns=(time.time_ns(), of.modified_s * 10**9))

    def _block(self, shard: RemoteObject, file: int, begin: int) -> None:
        end = min(begin + BLOCK, shard.size)
        block = memoryview(self.store.read(shard.name, begin, end))
        if len(block) != end - begin:
            raise self.changed(shard)
        while block:
            written = write_at(file, block, begin)
            block, begin = block[written:], begin + written

    def _make_room(self, shard: RemoteObject, part: Path) -> None:
        """Give a file the size of a shard, and remove others until all fit."""
        limit = cache_limit()
        if shard.size > limit:
            raise ConfigError(
                f"{format_size(limit)} cannot hold {self.store.place(shard.name)}, which has "
                f"{format_size(shard.size)}",
                where=SIZE,
                hint=f"Set {SIZE} to the gigabytes that may be used of {remote_folder()}.",
            )
        with _MAKING_ROOM:
            os.truncate(part, shard.size)  # counted by others from now on
            kept = sorted(_kept_shards())
            too_much = sum(size for _, size, _ in kept) - limit
            for _, size, path in kept:
                if too_much <= 0:
                    break
                if not path.name.startswith("."):  # those that are being fetched
                    with suppress(OSError):  # Windows: open in a program
                        path.unlink()
                        too_much -= size


def _kept_shards() -> Iterator[tuple[int, int, Path]]:
    """Yield the time of the last use, the bytes and the path of each shard on this machine."""
    for path in remote_folder().glob(f"*/{CACHE}/shards/*"):
        if path.suffix != _LOCK:
            with suppress(OSError):
                status = path.stat()
                yield status.st_atime_ns, status.st_size, path
