"""How much an augmentation will write and hold in memory, from the plan alone.

Which neighbours two videos have in common is not known before their vectors are read: of M videos
of a label in a chunk, each with K neighbours, between M K / 2 and M K pairs are distinct.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reeltag.augment.plan import Plan
from reeltag.augment.writing import SampleConfig
from reeltag.data.items import VideoSet

FRAMING = 16  # bytes around a record
ID_BYTES = 12  # by which the id of a new sample is longer, about


@dataclass(frozen=True)
class Chunk:
    """Shards within which neighbours are looked for.

    Attributes:
        shards: their numbers, ascending.
        first: number of its first video.
        stop: number behind its last one.
    """

    shards: tuple[int, ...]
    first: int
    stop: int


def chunks_of(items: VideoSet, num_shards: int) -> list[Chunk]:
    """Return the chunks of so many shards each; shards without usable records do not count."""
    shards = np.unique(items.shard)
    bounds = np.append(np.searchsorted(items.shard, shards), len(items))
    edges = [*range(0, len(shards), num_shards), len(shards)]
    return [
        Chunk(tuple(shards[start:stop].tolist()), int(bounds[start]), int(bounds[stop]))
        for start, stop in pairwise(edges)
    ]


@dataclass(frozen=True)
class Volume:
    """What is planned.

    Attributes:
        videos: of the split.
        dropped: by sub-sampling.
        over_sampled: videos that new samples are made around.
        alone: of these, those without another of the same label in their chunk.
        noisy: samples with noise.
        least: new samples, noisy ones included, if all neighbours are mutual.
        most: new samples, noisy ones included, if none are.
        shards: files to write.
        chunks: pieces of work that processes share.
        least_bytes: size of these files with `least` samples, about.
        most_bytes: size of these files with `most` samples, about.
        memory: bytes of vectors that one process holds, at most.
    """

    videos: int
    dropped: int
    over_sampled: int
    alone: int
    noisy: int
    least: int
    most: int
    shards: int
    chunks: int
    least_bytes: int
    most_bytes: int
    memory: int


def volume_of(items: VideoSet, plan: Plan, chunks: list[Chunk], sampling: SampleConfig) -> Volume:
    """Return what is planned for the videos of a split."""
    alone = least = most = noisy = largest = 0
    for chunk in chunks:
        here = slice(chunk.first, chunk.stop)
        neighbours, decision = plan.neighbours[here], plan.decision[here]
        over = neighbours > 0
        groups = _groups(decision[over], neighbours[over])
        members, wanted = groups
        lone = members == 1
        found = np.minimum(wanted, members - 1)
        if sampling.method == "neighbours":
            least += 2 * int((-(-members * found // 2)).sum())
            most += 2 * int(np.minimum(members * found, members * (members - 1) // 2).sum())
        noisy += int((members * wanted)[sampling.noised(lone)].sum())
        alone += int(lone.sum())
        largest = max(largest, int(over.sum()) + int(members.max(initial=0)))
    kept = int(plan.kept.sum())
    size = float(items.records.column("size").mean()) + FRAMING
    made = (least + noisy) * (size + ID_BYTES), (most + noisy) * (size + ID_BYTES)
    return Volume(
        videos=len(plan),
        dropped=len(plan) - kept,
        over_sampled=int((plan.neighbours > 0).sum()),
        alone=alone,
        noisy=noisy,
        least=least + noisy,
        most=most + noisy,
        shards=sum(len(chunk.shards) for chunk in chunks),
        chunks=len(chunks),
        least_bytes=int(kept * size + made[0]),
        most_bytes=int(kept * size + made[1]),
        memory=largest * 4 * sum(stream.width for stream in items.streams),
    )


def _groups(
    decision: NDArray[np.int32], neighbours: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each label, how many videos decide by it, and how many neighbours they want."""
    _, first, members = np.unique(decision, return_index=True, return_counts=True)
    return members.astype(np.int64), neighbours[first].astype(np.int64)
