"""How a job says how far it is: by a line on stderr, `progress: 0.42 words`."""

import re
import sys

_PROGRESS = re.compile(r"progress:\s*([0-9]*\.?[0-9]+)\s*(.*)")


def log_progress(fraction: float, words: str) -> None:
    """Print how far a job is, in its own process.

    Args:
        fraction: that is done, in [0, 1].
        words: what it does.
    """
    print(f"progress: {fraction:.3f} {words}", file=sys.stderr, flush=True)


def progress_of(line: str) -> tuple[float, str] | None:
    """Return the fraction that is done, at most 1, and the words of a line; None: of another one.

    >>> progress_of("progress: 0.420 of 12 videos"), progress_of("loading")
    ((0.42, 'of 12 videos'), None)
    """
    found = _PROGRESS.fullmatch(line.strip())
    return None if found is None else (min(1.0, float(found[1])), found[2])
