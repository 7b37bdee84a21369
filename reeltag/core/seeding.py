"""Seeds and random numbers that depend on what they are for, not on the order of drawing."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed that is a pure function of `seed` and `purpose`.

    A random stream named by its purpose (`derive_seed(seed, "shuffle", epoch)`) is the same on
    every machine, in every process and after every resume.
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def mixed(keys: NDArray[np.uint64], numbers: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return a further random number for each key and number, broadcast against each other.

    Source: the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014, fig. 17), which makes
    neighbouring states independent for all that is done here.
    """
    state = keys + (numbers.astype(np.uint64) + np.uint64(1)) * _STEP  # wraps around, as intended
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    random: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return random
