"""Damaged copies of small films: bytes flipped, cut, zeroed, repeated, left out."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from reeltag.core.seeding import derive_seed
from tests.library.extraction.synthetic_videos import write_film, write_silent_film, write_sound

Mutation = Callable[[np.random.Generator, bytearray], bytes]
_HEAD = 600  # bytes in which a header is


def write_originals(folder: Path) -> list[Path]:
    """Write a film or sound of each of some containers and codecs."""
    mp4 = write_film(folder / "film.mp4", [40, 90, 140, 200], 0.3)
    found = [mp4, write_silent_film(folder / "silent.avi", [20, 80, 160])]
    found += [write_sound(folder / name, 3.0) for name in ("sound.wav", "sound.flac")]
    for name in ("film.mkv", "film.ts", "film.mov"):
        found.append(_remuxed(mp4, folder / name))
    return found


def _remuxed(source: Path, target: Path) -> Path:
    """Write the packets of a film into another container."""
    with (
        av.open(str(source)) as film,
        av.open(str(target), "w", options={"fflags": "+bitexact"}) as out,
    ):
        streams = {of.index: out.add_stream_from_template(of) for of in film.streams}
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return target


def _flip(rng: np.random.Generator, data: bytearray, first: int, end: int) -> bytes:
    for at in rng.integers(first, end, rng.integers(1, 60)):
        data[at] ^= 1 << rng.integers(8)
    return bytes(data)


def _overwrite(rng: np.random.Generator, data: bytearray) -> bytes:
    size = int(rng.integers(1, max(2, len(data) // 4)))
    at = int(rng.integers(0, len(data) - size))
    data[at : at + size] = rng.bytes(size) if rng.random() < 0.5 else bytes(size)
    return bytes(data)


def _leave_out(rng: np.random.Generator, data: bytearray) -> bytes:
    at, size = rng.integers(0, len(data)), rng.integers(1, max(2, len(data) // 3))
    del data[at : at + size]
    return bytes(data)


def _repeat(rng: np.random.Generator, data: bytearray) -> bytes:
    at, size = int(rng.integers(0, len(data))), int(rng.integers(1, max(2, len(data) // 3)))
    return bytes(data[: at + size] + data[at:])


MUTATIONS: dict[str, Mutation] = {
    "flipped": lambda rng, data: _flip(rng, data, 0, len(data)),
    "header": lambda rng, data: _flip(rng, data, 0, min(len(data), _HEAD)),
    "tail": lambda rng, data: _flip(rng, data, max(0, len(data) - 3 * _HEAD), len(data)),
    "cut": lambda rng, data: bytes(data[: rng.integers(0, len(data))]),
    "overwritten": _overwrite,
    "left-out": _leave_out,
    "repeated": _repeat,
}


def write_mutations(originals: list[Path], folder: Path, number: int) -> None:
    """Write so many damaged copies, the same each time."""
    folder.mkdir()
    for at in range(number):
        source = originals[at % len(originals)]
        name, mutate = list(MUTATIONS.items())[at // len(originals) % len(MUTATIONS)]
        rng = np.random.default_rng(derive_seed(0, "mutation", at))
        damaged = mutate(rng, bytearray(source.read_bytes()))
        (folder / f"{at:04d}-{name}{source.suffix}").write_bytes(damaged)
