"""Where the shards of a data set are, and where its index is kept."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple, NoReturn

from reeltag.core.errors import DataError, OutputError

SUFFIX = ".tfrecord"


class Shard(NamedTuple):
    """One shard, and by what a change of it is noticed.

    Attributes:
        name: path relative to the data folder, with "/".
        size: bytes.
        mtime_ns: time of the last change.
    """

    name: str
    size: int
    mtime_ns: int


def find_shards(data: Path) -> tuple[Path, list[Shard]]:
    """Return the root folder and its shards by name: every *.tfrecord in or below `data`.

    Args:
        data: a folder, or a single shard.

    Raises:
        DataError: nothing is there, a folder cannot be read, or it has no shards.
    """
    if data.is_file():
        return data.parent, [_stamp(data.parent, data)]
    if not data.exists():
        raise DataError(
            "is not there", where=data, hint="Give the folder that holds the *.tfrecord files."
        )
    shards, others, seen = list[Path](), list[str](), set[str]()
    for folder, subfolders, files in os.walk(data, followlinks=True, onerror=_raise_unreadable):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above
            subfolders.clear()
            continue
        seen.add(real)
        shards += [Path(folder, name) for name in files if name.endswith(SUFFIX)]
        others += [name for name in files if SUFFIX in name and not name.endswith(SUFFIX)]
    if not shards:
        raise DataError(
            f"has no file whose name ends in {SUFFIX}"
            + (f", but {len(others)} like {min(others)}" if others else ""),
            where=data,
            hint=f"Unpack compressed shards, and let their names end in {SUFFIX}."
            if others
            else "Give the folder that holds the shards, or one above it.",
        )
    return data, sorted(_stamp(data, shard) for shard in shards)


def _raise_unreadable(error: OSError) -> NoReturn:
    raise DataError(
        f"cannot be read ({error.strerror})",
        where=error.filename,
        hint="Ask for the right to read it, or move it elsewhere.",
    ) from error


def _stamp(root: Path, path: Path) -> Shard:
    try:
        status = path.stat()
    except OSError as error:
        _raise_unreadable(error)
    return Shard(path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)


def index_places(data: Path) -> tuple[Path, Path]:
    """Return the two folders that the index of `data` may be in: next to it, and in the cache."""
    local = data.parent / ".reeltag" / data.name if data.is_file() else data / ".reeltag"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reeltag"
    key = hashlib.sha256(str(data.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return local, cache / key


def writable_place(data: Path) -> Path:
    """Return the first of `index_places` that can be written to; it is made.

    Args:
        data: the folder of the shards.

    Raises:
        OutputError: neither can.
    """
    places = index_places(data)
    folder = data if data.is_dir() else data.parent
    # Permissions do not hold root back, but whoever took them away meant it.
    read_only = not folder.stat().st_mode & 0o222
    for place in places[read_only:]:
        probe = place / f".try-{os.getpid()}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        return place
    raise OutputError(
        f"the index can be written neither here nor to {places[1]}",
        where=places[0],
        hint="Make one of the two writable, or set XDG_CACHE_HOME to a folder that is.",
    )
