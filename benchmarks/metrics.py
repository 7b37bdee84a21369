"""How fast scores are computed from predictions in memory, at the sizes of the challenges.

The targets come from google's starter on such a machine: 16.5 s for GAP@20 of 100,000 videos,
41 s for MAP@100k of 1000 classes x 10,000 segments (here all rated, the most work there can be).
"""

import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.metrics import GlobalAveragePrecision, SegmentMeanAveragePrecision
from reeltag.metrics.ranking import rank_pairs
from reeltag.metrics.weighted import WeightedRanking

BATCH = 1024
REPLICATES = 200
_AT_ONCE = 32


def run(quick: bool) -> list[Row]:
    videos, segments, repeats = (2000, 500, 1) if quick else (100_000, 10_000, 5)
    return [
        _gap(videos, repeats, target="<= 1.5"),
        _segment_map(segments, repeats, target="<= 1"),
        _bootstrap(videos, min(repeats, 3)),
    ]


def _gap(videos: int, repeats: int, target: str) -> Row:
    draw = torch.Generator().manual_seed(0)
    scores = torch.rand(videos, 3862, generator=draw)
    labels = torch.zeros(videos, 3862, dtype=torch.bool)
    labels.scatter_(1, torch.randint(3862, (videos, 3), generator=draw), True)

    def score() -> Tensor:
        gap = GlobalAveragePrecision(top_k=20)
        for part, truth in zip(scores.split(BATCH), labels.split(BATCH), strict=True):
            gap.update(part, truth)
        return gap.compute()

    name = f"GAP@20 of {videos:,} x 3862 dense float32 scores"
    return _timed(name, score, repeats, target, batch=BATCH)


def _segment_map(segments: int, repeats: int, target: str) -> Row:
    draw = torch.Generator().manual_seed(0)
    scores, ones = torch.rand(segments, 1000, generator=draw), torch.ones(segments, 1000)
    labels = torch.rand(segments, 1000, generator=draw) < 0.5

    def score() -> Tensor:
        metric = SegmentMeanAveragePrecision(1000, k=100_000)
        for rows in zip(*(part.split(BATCH) for part in (scores, labels, ones)), strict=True):
            metric.update(*rows)
        value: Tensor = metric.compute()
        return value

    name = f"MAP@100k of 1000 classes x {segments:,} segments, all rated"
    return _timed(name, score, repeats, target, batch=BATCH)


def _bootstrap(videos: int, repeats: int) -> Row:
    draw = torch.Generator().manual_seed(0)
    pairs = 20 * videos
    scores, hits = torch.rand(pairs, generator=draw), torch.rand(pairs, generator=draw) < 0.12
    owners = torch.arange(videos).repeat_interleave(20)
    weights = torch.poisson(torch.ones(videos, _AT_ONCE), generator=draw)
    positives = torch.full((1, _AT_ONCE), 3.0 * videos)

    def score() -> Tensor:
        ranking = WeightedRanking(rank_pairs(scores, hits), owners)
        values = [
            ranking.average_precision(positives, weights) for _ in range(0, REPLICATES, _AT_ONCE)
        ]
        return torch.cat(values, dim=1)

    name = f"{REPLICATES} bootstrap replicates of GAP@20, {videos:,} videos"
    return _timed(name, score, repeats, None, replicates_at_once=_AT_ONCE)


def _timed(
    name: str, score: Callable[[], Tensor], repeats: int, target: str | None, **details: object
) -> Row:
    """Return the median seconds of `score`, after one run to warm up."""
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        score()
        seconds.append(time.perf_counter() - began)
    details |= {
        "runs_s": [round(second, 3) for second in seconds[1:]],
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    return figure(name, statistics.median(seconds[1:]), "s", target, details)
