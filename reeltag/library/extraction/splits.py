"""Which split a video is in: a hash of its group decides, and that of its group stays.

The hash is a number in [0, 1) that depends on the group alone; the splits have parts of that range.
"""

from collections.abc import Mapping, Sequence

from reeltag.core.seeding import derive_seed
from reeltag.library.extraction.shards import SPLITS


def place_of(group: str) -> float:
    """Return a number in [0, 1) that depends on the name of a group alone.

    Args:
        group: name.
    """
    return derive_seed(0, "extraction split", group) / 2**63


def split_of(group: str, parts: Sequence[float]) -> str:
    """Return the split of a group.

    Args:
        group: name.
        parts: of train, validate and test, at least 0, not all 0.

    >>> split_of("a", (80, 10, 10)), split_of("a", (1, 0, 0))
    ('test', 'train')
    """
    place, end = place_of(group) * sum(parts), 0.0
    for split, part in zip(SPLITS, parts, strict=True):
        end += part
        if place < end:
            return split
    return next(split for split, part in zip(SPLITS, parts, strict=True) if part)  # by rounding


def filled(groups: Mapping[str, str], parts: Sequence[float]) -> dict[str, str]:
    """Return the split of each group, none of them empty where there are enough groups.

    In a small archive the hash may leave a split empty: it then gets the training group whose hash
    is nearest to it.

    Args:
        groups: group -> split by its hash.
        parts: of the splits; one of 0 stays empty.
    """
    found = dict(groups)
    for split, part in zip(SPLITS[1:], parts[1:], strict=True):
        train = [group for group, of in found.items() if of == "train"]
        if part and split not in found.values() and len(train) > 1:
            found[max(train, key=place_of)] = split
    return found
