"""Compressed shards, unpacked once into a cache next to the index, where all else reads them.

    .reeltag/unpacked/
        train0.tfrecord.gz~1f2e3d4c.records   what the shard unpacks to
        train0.tfrecord.gz~1f2e3d4c.json      size, time of change and CRC32C of that

The hash in the names is that of the shard's name, size and times: of a shard that has changed, the
cache is another file. What belongs to no shard that is there is removed when the index is built.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import google_crc32c
import joblib

from reeltag.core.console import say, track
from reeltag.core.errors import DataError, OutputError
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import whole_file, write_json
from reeltag.core.formatting import format_size
from reeltag.core.parts import remove_ours
from reeltag.data.indexing.locations import Shard, stamp
from reeltag.data.records.packing import Packing, packing_of, unpack, unpacked_size

FOLDER = "unpacked"
RESERVE = 64 << 20  # bytes of a disk that are left free
_RECORDS, _ABOUT = ".records", ".json"
_AT_ONCE = 4 << 20


@dataclass(frozen=True)
class Unpacked:
    """The records of a compressed shard.

    Attributes:
        path: of the file that holds them.
        file: size and times of it, by which a change is noticed.
    """

    path: Path
    file: Shard


@dataclass(frozen=True, kw_only=True)
class _Identity:
    """By what a file of the cache is known to be as it was written."""

    size: int
    mtime_ns: int
    crc32c: int


def find_unpacked(place: Path, shards: Iterable[Shard]) -> dict[Shard, Unpacked] | None:
    """Return the unpacked files of compressed shards; None where one is missing or was changed.

    Args:
        place: folder of an index.
        shards: those that are compressed.
    """
    found = {}
    for shard in shards:
        path = _place(place, shard)
        try:
            file = stamp(path.parent, path)
        except DataError:
            return None
        known = _identity(path)
        if known is None or (known.size, known.mtime_ns) != (file.size, file.mtime_ns):
            return None
        found[shard] = Unpacked(path, file)
    return found


def unpack_shards(
    root: Path, shards: Sequence[Shard], place: Path, *, jobs: int | None, quiet: bool
) -> dict[Shard, Unpacked]:
    """Unpack the compressed ones of some shards, as far as that was not done before.

    Args:
        root: folder of the shards.
        shards: all that are there.
        place: folder of the index, which is locked.
        jobs: threads; None = one per core.
        quiet: show no progress.

    Raises:
        DataError: a shard cannot be read, or not be unpacked.
        OutputError: the disk is too small, or cannot be written to.
    """
    packings = {shard: packing_of(root / shard.name) for shard in shards}
    packed = {shard: packing for shard, packing in packings.items() if packing}
    missing = {s: packing for s, packing in packed.items() if not _is_kept(_place(place, s))}
    _remove_others(place / FOLDER, packed)
    if missing:
        _check_space(root, missing, place, quiet)
        work = (joblib.delayed(_unpack)(root, of, how, place) for of, how in missing.items())
        # threads, for zlib lets others run
        parallel = joblib.Parallel(n_jobs=jobs or -1, prefer="threads", return_as="generator")
        list(parallel(work) if quiet else track(parallel(work), "unpacking", len(missing)))
    found = find_unpacked(place, packed)
    if found is None:
        raise OutputError("was changed while it was written", where=place / FOLDER)
    return found


def _check_space(root: Path, missing: Mapping[Shard, Packing], place: Path, quiet: bool) -> None:
    """Say what is unpacked and where; OutputError where the disk is too small for it."""
    needed = sum(unpacked_size(root / shard.name, how) for shard, how in missing.items())
    free = shutil.disk_usage(place).free
    what = f"{len(missing):,} compressed shards of {root}"
    if needed > free - RESERVE:
        raise OutputError(
            f"has {format_size(free)} free; {what} take about {format_size(needed)} unpacked",
            where=place,
            hint="Free some space, or `gunzip` the shards where there is some.",
        )
    if not quiet:
        say(f"{what} are unpacked into {place / FOLDER}: about {format_size(needed)}")


def _unpack(root: Path, shard: Shard, packing: Packing, place: Path) -> None:
    """Unpack one shard; the file appears whole, and after it what it is known by."""
    source, path = root / shard.name, _place(place, shard)
    crc, size = google_crc32c.Checksum(), 0
    with whole_file(path) as part, part.open("wb") as file:
        for piece in unpack(source, packing):
            if shutil.disk_usage(place).free < RESERVE + len(piece):
                what = f"has no space for {source}, of which {format_size(size)} are unpacked"
                hint = "Free some space, or `gunzip` the shards where there is some."
                raise OutputError(what, where=place, hint=hint)
            crc.update(piece)
            size += len(piece)
            file.write(piece)
        if stamp(root, source) != shard:
            hint = "Wait until nothing writes to it any more."
            raise DataError("has changed while it was unpacked", where=source, hint=hint)
    _describe(path, size, int.from_bytes(crc.digest(), "big"))


def _describe(path: Path, size: int, crc32c: int) -> None:
    about = _Identity(size=size, mtime_ns=path.stat().st_mtime_ns, crc32c=crc32c)
    write_json(_about(path), asdict(about))


def _is_kept(path: Path) -> bool:
    """Return whether a file of the cache holds what was written; of one with other times, by CRC.

    One that was copied, as with its data set, gets its time into its description.
    """
    known = _identity(path)
    with suppress(OSError):
        status = path.stat()
        if known is None or status.st_size != known.size:
            return False
        if status.st_mtime_ns == known.mtime_ns:
            return True
        if _crc_of(path) == known.crc32c:
            _describe(path, known.size, known.crc32c)
            return True
    return False


def _crc_of(path: Path) -> int:
    crc = google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(_AT_ONCE):
            crc.update(block)
    return int.from_bytes(crc.digest(), "big")


def _identity(path: Path) -> _Identity | None:
    """Return by what a file of the cache is known; None where that is missing or damaged."""
    about = _about(path)
    try:
        value = parse_json(about.read_bytes())
        known: _Identity = from_json(_Identity, value, where=about, field="unpacked")
    except (OSError, DataError, TypeError, ValueError, AttributeError):
        return None
    return known


def _remove_others(folder: Path, packed: Iterable[Shard]) -> None:
    """Remove what belongs to no shard that is there, and the folder if nothing is left."""
    wanted = {path.name for shard in packed for path in _files(folder.parent, shard)}
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name not in wanted:
                remove_ours(path)
        if not wanted:
            folder.rmdir()


def _files(place: Path, shard: Shard) -> tuple[Path, Path]:
    path = _place(place, shard)
    return path, _about(path)


def _about(path: Path) -> Path:
    return path.with_suffix(_ABOUT)


def _place(place: Path, shard: Shard) -> Path:
    """Return where the records of a shard are; the end of its name says of which."""
    digest = hashlib.sha256(json.dumps(shard).encode()).hexdigest()[:16]
    name = PurePosixPath(shard.name).name
    short = name.encode(errors="surrogateescape")[-180:].decode(errors="ignore")
    return place / FOLDER / f"{short}~{digest}{_RECORDS}"
