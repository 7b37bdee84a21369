"""Compressed TFRecord files: a whole file as gzip (`gzip FILE`, TensorFlow's GZIP) or zlib (ZLIB).

A file is known by its first bytes, whatever its name is. What it unpacks to is checked as it comes:
it must begin with a record, and what grows beyond all measure is a bomb, not a data set.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from reeltag.core.errors import DataError
from reeltag.data.records.tfrecord import HEADER_SIZE, is_record_header

Packing: TypeAlias = Literal["gzip", "zlib"]

MAX_RATIO = 100  # bytes out of one byte; features are far below, and a bomb has 1,000
FREE_BYTES = 256 << 20  # to which any file may unpack: blank frames compress well
_AT_ONCE = 1 << 20  # bytes read, and bytes unpacked at most, at a time
_GZIP = b"\x1f\x8b"
_HINT = "Copy or download it again, or move it elsewhere."
_WINDOW_BITS: dict[Packing, int] = {"gzip": 31, "zlib": 15}


def packing_of(path: Path) -> Packing | None:
    """Return how a file is compressed; None where it is not.

    Args:
        path: of a shard.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(1024)  # tables of codes come first
    except OSError as error:
        raise _unreadable(path, error) from error
    if is_record_header(begin[:HEADER_SIZE]):
        return None
    if begin.startswith(_GZIP):
        return "gzip"
    is_zlib = len(begin) > 2 and begin[0] & 15 == 8 and int.from_bytes(begin[:2], "big") % 31 == 0
    return "zlib" if is_zlib and is_record_header(_first_bytes(begin)) else None


def unpacked_size(path: Path, packing: Packing) -> int:
    """Return about how many bytes a file unpacks to, without unpacking it.

    A gzip file says it, less multiples of 4 GiB; of zlib twice its size is taken.

    Args:
        path: of the file.
        packing: of it.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if packing == "zlib" or size < 4:
                return 2 * size
            file.seek(-4, os.SEEK_END)
            return max(size, int.from_bytes(file.read(4), "little"))
    except OSError as error:
        raise _unreadable(path, error) from error


def unpack(path: Path, packing: Packing) -> Iterator[bytes]:
    """Yield the bytes of a compressed file, at most a megabyte at a time.

    Files of several members, one behind the other, are one; zeros behind the last one are padding.

    Args:
        path: of the file.
        packing: of it.

    Raises:
        DataError: it cannot be read, is damaged, cut short, or followed by something else; it
            unpacks to something that begins with no record, or to more than `MAX_RATIO` times its
            size.
    """
    begin, done = b"", 0
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for piece in _pieces(file, path, packing):
                begin += piece[: HEADER_SIZE - len(begin)]
                done += len(piece)
                if done >= HEADER_SIZE and not is_record_header(begin):
                    break
                if done > FREE_BYTES and done > MAX_RATIO * size:
                    raise _bomb(path, size)
                yield piece
    except OSError as error:
        raise _unreadable(path, error) from error
    if done and not is_record_header(begin):
        what = f"unpacks ({packing}) to something that does not begin with a record"
        raise DataError(what, where=path, hint="A shard is a TFRecord file, compressed or not.")


def _pieces(file: BinaryIO, path: Path, packing: Packing) -> Iterator[bytes]:
    """Yield what the members of a file unpack to, one behind the other."""
    member = zlib.decompressobj(_WINDOW_BITS[packing])
    block = file.read(_AT_ONCE)
    while True:
        try:
            piece = member.decompress(block, _AT_ONCE)
        except zlib.error as error:
            what = f"is damaged before byte {file.tell():,}: no {packing} data ({error})"
            raise DataError(what, where=path, hint=_HINT) from error
        if piece:
            yield piece
        if member.eof:
            block = _next_member(member.unused_data, file, path, packing)
            if not block:
                return
            member = zlib.decompressobj(_WINDOW_BITS[packing])
            continue
        block = member.unconsumed_tail or file.read(_AT_ONCE)
        if not block and not piece:
            what = f"is cut short: its {packing} data have no end, at byte {file.tell():,}"
            raise DataError(what, where=path, hint=_HINT)


def _next_member(rest: bytes, file: BinaryIO, path: Path, packing: Packing) -> bytes:
    """Return the first bytes of the next member, b"" at the end; zeros are passed over."""
    end = file.tell() - len(rest)
    while not (rest := rest.lstrip(b"\0")):
        if not (rest := file.read(_AT_ONCE)):
            return b""
    if packing == "zlib" or not rest.startswith(_GZIP[: len(rest)]):
        what = f"has other bytes behind its {packing} data, which end at byte {end:,}"
        raise DataError(what, where=path, hint=_HINT)
    return rest


def _first_bytes(packed: bytes) -> bytes:
    """Return the first bytes that a zlib stream unpacks to; b"" where it is none."""
    try:
        return zlib.decompressobj().decompress(packed, HEADER_SIZE)
    except zlib.error:
        return b""


def _bomb(path: Path, size: int) -> DataError:
    return DataError(
        f"has {size:,} bytes and unpacks to more than {MAX_RATIO} times as many",
        where=path,
        hint="That is no file of features, by all experience. If it is, unpack it with `gunzip`: "
        "shards that are not compressed have no limit.",
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    hint = "Check that the file is there and that you may read it."
    return DataError(f"cannot be read ({error.strerror or error})", where=path, hint=hint)
