"""The smallest case that fails in the same way: pieces of it are left out, then set to zero."""

import time
from collections.abc import Callable, Iterator

from benchmarks.fuzz.target import Case

_MOST_TRIES = 1500


def minimised(
    case: Case,
    fails: Callable[[Case], bool],
    smaller: Callable[[Case], Iterator[Case]],
    seconds: float = 60.0,
) -> Case:
    """Return a case that still fails, without what does not matter.

    Args:
        case: that fails.
        fails: whether another one fails in the same way.
        smaller: what the target knows to leave out.
        seconds: after which it is enough.
    """
    best, until, tries = case, time.monotonic() + seconds, 0
    changed = True
    while changed:
        changed = False
        for find in (smaller, _smaller):
            found: Case | None = best
            while found is not None:
                found = None
                for candidate in find(best):
                    tries += 1
                    if tries > _MOST_TRIES or time.monotonic() > until:
                        return best
                    if candidate != best and fails(candidate):
                        best = found = candidate
                        changed = True
                        break
    return best


def _smaller(case: Case) -> Iterator[Case]:
    """Yield a case without a piece, large ones first; then with single bytes 0."""
    data, size = case.data, len(case.data)
    while size := size // 2:
        for at in range(0, len(data), size):
            yield Case(case.variant, data[:at] + data[at + size :])
    for at in range(min(len(data), 256)):
        if data[at]:
            yield Case(case.variant, data[:at] + b"\0" + data[at + 1 :])
