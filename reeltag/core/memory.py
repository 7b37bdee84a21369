"""How the process holds its memory."""

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # numbers of mallopt's options in glibc's malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next allocation, instead of returning it.

    A training step on a CPU frees and takes again the same hundreds of megabytes; given back to the
    system, every page is faulted in and zeroed again each time, 13 % of a NeXtVLAD step. The price
    is that memory once used stays with the process. Call it once, early, in a process that trains.

    Returns:
        Whether it took effect: only glibc (Linux) has these options; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(MMAP_MAX, 0) == 1 and mallopt(TRIM_THRESHOLD, LARGEST) == 1)
