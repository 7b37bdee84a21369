"""Which videos and classes `reeltag moments` searches."""

import difflib

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split


def rows_of(data: Dataset, videos: tuple[str, ...]) -> NDArray[np.bool_] | None:
    """Return (R,) the rows of some videos; None for all; ConfigError where one is not there."""
    if not videos:
        return None
    ids = data.table["id"].to_pylist()
    missing = [name for name in videos if name not in set(ids)]
    if missing:
        close = difflib.get_close_matches(missing[0], [name for name in ids if name], n=3)
        raise ConfigError(
            f"there is no video {missing[0]!r} in {data.location}",
            where="--video",
            hint=f"Did you mean {' or '.join(close)}?" if close else "",
        )
    return np.isin(np.array(ids, object), videos)


def split_to_search(data: Dataset) -> Split:
    """Return test, or all where the data have no such part and no pattern names one."""
    try:
        data.shards_of("test")
    except ConfigError:
        if data.splits.test:
            raise
        say(f"{data.location} has no test part: all its videos are searched")
        return "all"
    return "test"


def names_of(known: tuple[str, ...], classes: ClassList) -> tuple[str, ...]:
    """Return the names of the classes; those that are only numbered take the data's."""
    if len(classes) != len(known):  # the data have no list, and their labels need fewer
        return known
    numbered = ClassList.numbered(len(known)).names
    return tuple(
        theirs if ours == number else ours
        for ours, theirs, number in zip(known, classes.names, numbered, strict=True)
    )
