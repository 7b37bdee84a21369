"""Metrics with one process, or as one of two."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import Metric

from reeltag.metrics import (
    GlobalAveragePrecision,
    HitAtOne,
    MeanAveragePrecision,
    PrecisionAtEqualRecallRate,
    SegmentMeanAveragePrecision,
)

CLASSES = 30
METRICS: dict[str, Callable[[], Metric]] = {
    "gap": GlobalAveragePrecision,
    "hit": HitAtOne,
    "perr": PrecisionAtEqualRecallRate,
    "map": partial(MeanAveragePrecision, CLASSES),
    "map@20": partial(MeanAveragePrecision, CLASSES, top_k=20),
    "map@k": partial(SegmentMeanAveragePrecision, CLASSES, k=50),
    "map@k, lean": partial(SegmentMeanAveragePrecision, CLASSES, k=None),
}


def batch(seed: int, videos: int = 64) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 200, (videos, CLASSES), generator=draw) / 10  # with ties
    labels = torch.rand(videos, CLASSES, generator=draw) < 0.1
    return {"scores": scores, "labels": labels, "weights": torch.ones(videos, CLASSES)}


def update(metric: Metric, rows: dict[str, Tensor]) -> None:
    takes_weights = isinstance(metric, SegmentMeanAveragePrecision)
    metric.update(*list(rows.values())[: 3 if takes_weights else 2])


def score_as_rank(rank: int, meeting: Path) -> dict[str, float]:
    """Be one of two processes: rank 0 sees batches 0 and 1, rank 1 batch 2, or once nothing."""
    address = f"file://{meeting}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    answer = {}
    for seen in ("both", "one"):
        for name, build in METRICS.items():
            metric = build()
            for seed in (0, 1) if rank == 0 else (2,) * (seen == "both"):
                update(metric, batch(seed))
            answer[f"{seen}/{name}"] = float(metric.compute())
    torch.distributed.destroy_process_group()
    return answer
