"""Outcomes as they come, handed on in the order of the plan."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_order(
    keys: Sequence[str], known: Mapping[str, T], coming: Iterable[tuple[str, T]]
) -> Iterator[tuple[str, T]]:
    """Yield each key with its outcome, in the order of the keys, as soon as that can be.

    Args:
        keys: in their order.
        known: outcomes that are there already.
        coming: the others, in any order.

    >>> list(in_order("abc", {"b": 2}, [("c", 3), ("a", 1)]))
    [('a', 1), ('b', 2), ('c', 3)]
    """
    waiting, at = dict(known), 0
    for key, outcome in coming:
        while at < len(keys) and keys[at] in waiting:
            yield keys[at], waiting.pop(keys[at])
            at += 1
        waiting[key] = outcome
    for key in keys[at:]:
        yield key, waiting.pop(key)
