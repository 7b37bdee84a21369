"""Perceptual hashes of pictures: alike where pictures look alike, whatever their size and codec.

A hash has 64 signs: of the lowest frequencies of a 32 x 32 grey picture against their median.
Source: "pHash", Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010;
here the constant is left out, and the lowest frequencies are 1 to 8 in both directions.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.files import whole_file

Hashes = NDArray[np.uint64]

HASHES_FILE = "{}.hashes.npy"  # by the id of the video
NO_HASH = np.uint64(0)  # of a frame without a picture, or with a flat one
_GREY, _LOW = 32, 8
_LEAST_CONTRAST = 4.0  # deviation of brightness, of 255


def picture_hashes(pictures: NDArray[np.uint8]) -> Hashes:
    """Return the perceptual hashes (n,) of RGB pictures (n, H, W, 3); `NO_HASH` of flat ones."""
    if not pictures.size:
        return np.zeros(len(pictures), np.uint64)
    grey = _shrunk(pictures)
    low = _COSINES @ grey @ _COSINES.T
    signs = low.reshape(len(grey), _LOW * _LOW)
    bits = signs > np.median(signs, axis=1, keepdims=True)
    hashes: Hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return np.where(grey.std((1, 2)) >= _LEAST_CONTRAST, hashes, NO_HASH)


def _cosines() -> NDArray[np.float32]:
    """Return the lowest `_LOW` functions of a cosine transform but the constant, (_LOW, _GREY)."""
    frequency, place = np.arange(1, _LOW + 1)[:, None], np.arange(_GREY) + 0.5
    return np.cos(np.pi * frequency * place / _GREY).astype(np.float32)


_COSINES = _cosines()


def _shrunk(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return mean brightness of 32 x 32 areas, (n, 32, 32); areas are repeated in small ones."""
    green = pictures[..., 1].astype(np.float32)  # most of the brightness
    for axis in (1, 2):
        size = green.shape[axis]
        if size < _GREY:
            green = np.repeat(green, -(-_GREY // size), axis)
            size = green.shape[axis]
        edges = np.arange(_GREY + 1) * size // _GREY
        green = np.add.reduceat(green, edges[:-1], axis) / np.expand_dims(
            np.diff(edges).astype(np.float32), tuple(of for of in (0, 1, 2) if of != axis)
        )
    return green


def save_hashes(previews: Path, name: str, hashes: Hashes) -> None:
    """Write the hashes of a video, whole or not at all; OutputError if that cannot be."""
    with whole_file(previews / HASHES_FILE.format(name)) as part, part.open("wb") as file:
        np.save(file, hashes)


def load_hashes(previews: Path, name: str) -> Hashes:
    """Return the hashes of a video, none where there are none."""
    try:
        return np.asarray(np.load(previews / HASHES_FILE.format(name)), np.uint64)
    except (OSError, ValueError, EOFError):
        return np.zeros(0, np.uint64)
