"""How fast scores are computed from predictions in memory, at the sizes of the challenges.

The targets come from google's starter on such a machine: 16.5 s for GAP@20 of 100,000 videos,
41 s for MAP@100k of 1000 classes x 10,000 segments (here all rated, the most work there can be).
Replicates of the bootstrap are measured with the draws and the ranking, all that `evaluate` does
with pairs that it has read.
"""

import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.evaluation.bootstrap import Bootstrap, ClassCounts
from reeltag.metrics import GlobalAveragePrecision, SegmentMeanAveragePrecision
from reeltag.metrics.ranking import Ranking, rank_pairs
from reeltag.metrics.weighted import WeightedRanking

BATCH = 1024
REPLICATES, REPLICATED = 200, "<= 10"
RATED, SEGMENTS_OF_VIDEO = 237, 5  # of a class; validation of 2019


def run(quick: bool) -> list[Row]:
    videos, segments, repeats = (2000, 500, 1) if quick else (100_000, 10_000, 5)
    return [
        _gap(videos, repeats, target="<= 1.5"),
        _segment_map(segments, repeats, target="<= 1"),
        _bootstrap(videos, min(repeats, 3)),
        _bootstrap(10 * videos, min(repeats, 3), REPLICATED),
        _segment_bootstrap(10 * segments, min(repeats, 3), REPLICATED),
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


def _bootstrap(videos: int, repeats: int, target: str | None = None) -> Row:
    """Return the seconds for GAP@20 and its replicates: ranking, draws, averages."""
    draw = torch.Generator().manual_seed(0)
    pairs = 20 * videos
    scores, hits = torch.rand(pairs, generator=draw), torch.rand(pairs, generator=draw) < 0.12
    owners = torch.arange(videos).repeat_interleave(20)
    labels = np.zeros(3 * videos, np.int64), np.arange(videos).repeat(3)

    def score() -> tuple[Tensor, Tensor]:
        positives = ClassCounts(*labels, 1)
        return _replicates(rank_pairs(scores, hits), owners, positives, videos)

    name = f"GAP@20 of {videos:,} videos x top 20, with {REPLICATES} bootstrap replicates"
    return _timed(name, score, repeats, target)


def _segment_bootstrap(segments: int, repeats: int, target: str) -> Row:
    """Return the seconds for MAP@100k and its replicates, with as many ratings as in 2019."""
    draw = torch.Generator().manual_seed(0)
    scores = torch.rand(segments, 1000, generator=draw)
    rated = torch.rand(segments, 1000, generator=draw) < RATED / segments
    labels = rated & (torch.rand(segments, 1000, generator=draw) < 0.5)
    videos = segments // SEGMENTS_OF_VIDEO

    def score() -> tuple[Tensor, Tensor]:
        metric = SegmentMeanAveragePrecision(1000, k=100_000)
        for rows in zip(*(part.split(BATCH) for part in (scores, labels, rated)), strict=True):
            metric.update(*rows)
        value: Tensor = metric.compute()
        row, column = rated.nonzero(as_tuple=True)
        hits, owners = labels[row, column], row // SEGMENTS_OF_VIDEO
        positives = ClassCounts(column[hits].numpy(), owners[hits].numpy(), 1000)
        ranking = rank_pairs(scores[row, column], hits, column)
        return value, _replicates(ranking, owners, positives, videos)[1].nanmean(dim=0)

    name = f"MAP@100k of 1000 classes x {segments:,} segments, {RATED} of a class rated, "
    name += f"with {REPLICATES} bootstrap replicates"
    return _timed(name, score, repeats, target, batch=BATCH, videos=videos)


def _replicates(
    ranking: Ranking, owners: Tensor, positives: ClassCounts, videos: int
) -> tuple[Tensor, Tensor]:
    """Return the average precision of each class, and that of each replicate."""
    weighted = WeightedRanking(ranking, owners)
    draws = Bootstrap(np.ones(videos, np.bool_), REPLICATES, 0)
    values = [
        weighted.average_precision(positives.weighted(weights), weights)
        for weights in draws.weights()
    ]
    return ranking.average_precision(positives.counts), torch.cat(values, dim=1)


def _timed(
    name: str, score: Callable[[], object], repeats: int, target: str | None, **details: object
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
