"""Mutations of bytes that any target may use: each takes bytes and returns others."""

import random
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

Mutation: TypeAlias = Callable[[random.Random, bytes], bytes]

INTEGERS = (
    *(0, 1, -1, 2, 5, 7, 8, 16, 63, 64, 100, 127, 128, 255, 256, 300, 1000, 4096, 32767, 32768),
    *(65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) + 1),
    *((1 << 62), (1 << 63) - 1, -(1 << 63), -(1 << 31), -2, -5),
)
"""Numbers at which readers go wrong."""

_MOST_BYTES = 1 << 20  # of a mutated case
_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x0B, 0x0C, 0x12, 0x1A)


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return data with one to some mutations.

    Args:
        rng: draws them.
        data: to start from.
        others: pieces of which may come in.
    """
    for _ in range(1 + int(rng.expovariate(0.7))):
        if others and rng.random() < 0.08:
            data = spliced(rng, data, rng.choice(others))
        else:
            data = rng.choice(MUTATIONS)(rng, data)
    return data[:_MOST_BYTES]


def bit_flipped(rng: random.Random, data: bytes) -> bytes:
    """Return data with one bit flipped."""
    if not data:
        return data
    out, at = bytearray(data), rng.randrange(len(data))
    out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def byte_set(rng: random.Random, data: bytes) -> bytes:
    """Return data with one byte replaced."""
    if not data:
        return data
    out, at = bytearray(data), rng.randrange(len(data))
    out[at] = rng.choice(_BYTES) if rng.random() < 0.5 else rng.randrange(256)
    return bytes(out)


def truncated(rng: random.Random, data: bytes) -> bytes:
    """Return the beginning of data, or the end."""
    at = rng.randrange(len(data) + 1)
    return data[:at] if rng.random() < 0.8 else data[at:]


def cut(rng: random.Random, data: bytes) -> bytes:
    """Return data without a piece."""
    start, stop = _piece(rng, data)
    return data[:start] + data[stop:]


def doubled(rng: random.Random, data: bytes) -> bytes:
    """Return data with a piece repeated, seldom many times."""
    start, stop = _piece(rng, data)
    times = rng.choice((1, 1, 1, 2, 5, 50, 1000))
    times = min(times, _MOST_BYTES // max(1, stop - start))
    return data[:stop] + data[start:stop] * times + data[stop:]


def inserted(rng: random.Random, data: bytes) -> bytes:
    """Return data with some random bytes put in."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(1 + int(rng.expovariate(0.3))) + data[at:]


def moved(rng: random.Random, data: bytes) -> bytes:
    """Return data with a piece at another place."""
    start, stop = _piece(rng, data)
    rest = data[:start] + data[stop:]
    at = rng.randrange(len(rest) + 1)
    return rest[:at] + data[start:stop] + rest[at:]


def number_set(rng: random.Random, data: bytes) -> bytes:
    """Return data with an integer of 1 to 8 bytes replaced: a length, an offset, a count."""
    size = rng.choice((1, 2, 4, 4, 8, 8))
    if len(data) < size:
        return data
    at = rng.randrange(len(data) - size + 1)
    if rng.random() < 0.5:
        at -= at % size
    order = "<" if rng.random() < 0.85 else ">"
    code = order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    if rng.random() < 0.4:  # a little more or less than what is there
        number = struct.unpack_from(code, data, at)[0] + rng.choice((-8, -4, -1, 1, 2, 4, 8, 64))
    else:
        number = rng.choice((*INTEGERS, len(data), len(data) - at, len(data) * 2))
    packed = struct.pack(code, number & ((1 << 8 * size) - 1))
    return data[:at] + packed + data[at + size :]


def zeroed(rng: random.Random, data: bytes) -> bytes:
    """Return data with a piece of zeros, as a disk gives after a crash."""
    start, stop = _piece(rng, data)
    return data[:start] + bytes(stop - start) + data[stop:]


def spliced(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Return the beginning of data and the end of other, or a piece of other in data."""
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    start, stop = _piece(rng, other)
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[start:stop] + data[at:]


def _piece(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Return [start, stop) of a piece, mostly a small one."""
    start = rng.randrange(len(data) + 1)
    size = int(rng.expovariate(1 / 16)) if rng.random() < 0.8 else rng.randrange(len(data) + 1)
    return start, min(len(data), start + size)


MUTATIONS: tuple[Mutation, ...] = (
    bit_flipped,
    bit_flipped,
    byte_set,
    byte_set,
    truncated,
    cut,
    doubled,
    inserted,
    moved,
    number_set,
    number_set,
    zeroed,
)
