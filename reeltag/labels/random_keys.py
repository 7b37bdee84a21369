"""Random numbers that belong to an id: the same wherever in the data, and in whatever order, it is.

Shape letters: N ids.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reeltag.core.seeding import derive_seed


def id_keys(ids: Sequence[str], seed: int, purpose: str) -> NDArray[np.uint64]:
    """Return (N,) a hash of each id, uniform over 64 bits; by seed and purpose."""
    salt = derive_seed(seed, purpose).to_bytes(8, "big")
    digests = (hashlib.blake2b(name.encode(), digest_size=8, key=salt).digest() for name in ids)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
