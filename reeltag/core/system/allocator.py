"""How the process holds its memory."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8  # of glibc's malloc.h
LARGEST = 2**31 - 1
_RETURNED_FROM = 1 << 20  # bytes


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next allocation, instead of returning it.

    A training step on a CPU frees and takes again the same hundreds of megabytes; given back to the
    system, every page is faulted in and zeroed again each time, 13 % of a NeXtVLAD step. The price
    is that memory once used stays with the process. Call it once, early, in a process that trains.

    Returns:
        Whether it took effect: only glibc (Linux) has these options; elsewhere nothing happens.
    """
    return _set({MMAP_MAX: 0, TRIM_THRESHOLD: LARGEST})


def return_freed_memory() -> bool:
    """Let the C library return freed arrays to the system, and keep few heaps for threads.

    By itself it keeps what up to 32 MB take, in a heap for every few threads: a process that
    answers requests of all sizes from tens of threads grows for hours. Call it once, early, in a
    process that serves.

    Returns:
        Whether it took effect: only glibc (Linux) has these options; elsewhere nothing happens.
    """
    return _set({ARENA_MAX: 2, MMAP_THRESHOLD: _RETURNED_FROM, TRIM_THRESHOLD: _RETURNED_FROM})


def _set(options: dict[int, int]) -> bool:
    """Set options of malloc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(option, value) == 1 for option, value in options.items())
