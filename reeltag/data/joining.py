"""One set of items out of several that are cut from the same data folder.

Shape letters: N items of all sets, V records of all sets, each once, S streams.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.data.items import VideoSet
from reeltag.data.selection import Records
from reeltag.labels.targets import Targets


def joined(parts: Sequence[VideoSet]) -> VideoSet:
    """Return the items of all parts, by record and first frame as a `VideoSet` wants them.

    An item that is in two parts stays two items. Of one record and frame, the first part's item
    comes first. Targets go with the items.

    Args:
        parts: at least one, all with targets, of one index and with the same streams; all of
            segments or all of whole videos.

    Raises:
        ValueError: parts that do not fit each other.
    """
    if not parts:
        raise ValueError("nothing to join")
    first = parts[0]
    targets = []
    for part in parts:
        if (part.dataset, part.streams, part.segments) != (
            first.dataset,
            first.streams,
            first.segments,
        ):
            raise ValueError("the parts are of different data, streams or kinds")
        if part.targets is None:
            raise ValueError("a part has no targets")
        targets.append(part.targets)
    records, numbers = _joined_records([part.records for part in parts])
    video = np.concatenate(
        [number[part.video] for number, part in zip(numbers, parts, strict=True)]
    )
    start = np.concatenate([part.first for part in parts])
    length = np.concatenate([part.length for part in parts])
    times = [part.times for part in parts if part.times is not None]
    order = np.lexsort((start, video))
    return VideoSet(
        records,
        video=video[order],
        first=start[order],
        length=length[order],
        targets=Targets.concatenate(targets).take(order),
        times=np.concatenate(times)[order] if times else None,
    )


def _joined_records(parts: Sequence[Records]) -> tuple[Records, list[NDArray[np.int64]]]:
    """Return the records of all parts, each once, and for each part the numbers of its own."""
    table = pa.concat_tables([part.table for part in parts]).combine_chunks()
    shard = np.concatenate([part.column("shard") for part in parts])
    offset = np.concatenate([part.column("offset") for part in parts])
    order = np.lexsort((offset, shard))
    same = (np.diff(shard[order]) == 0) & (np.diff(offset[order]) == 0)
    new = np.append(True, ~same)[: len(order)]
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(new) - 1
    kept = order[new]
    skipped = dict[str, int]()
    for part in parts:
        for kind, count in part.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + count
    records = Records(
        dataset=parts[0].dataset,
        split=parts[0].split,
        streams=parts[0].streams,
        table=table.take(pa.array(kept)).combine_chunks(),
        start=np.concatenate([part.start for part in parts])[kept],
        stride=np.concatenate([part.stride for part in parts])[kept],
        skipped=skipped,
    )
    return records, np.split(number, np.cumsum([len(part) for part in parts])[:-1])
