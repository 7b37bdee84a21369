"""Seeds that depend on what they are for, not on the order in which they are drawn."""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed that is a pure function of `seed` and `purpose`.

    A random stream named by its purpose (`derive_seed(seed, "shuffle", epoch)`) is the same on
    every machine, in every process and after every resume.
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
