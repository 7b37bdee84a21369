"""Random numbers that belong to an id: the same wherever in the data, and in whatever order, it is.

Shape letters: N ids.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reeltag.core.seeding import derive_seed

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def id_keys(ids: Sequence[str], seed: int, purpose: str) -> NDArray[np.uint64]:
    """Return (N,) a hash of each id, uniform over 64 bits; by seed and purpose."""
    salt = derive_seed(seed, purpose).to_bytes(8, "big")
    digests = (hashlib.blake2b(name.encode(), digest_size=8, key=salt).digest() for name in ids)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


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
