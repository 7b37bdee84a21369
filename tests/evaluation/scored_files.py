"""Prediction files and their scores."""

from pathlib import Path
from typing import Any

import numpy as np

from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from tests.inference.scored import Rating, Row, write_corpus, write_rows


def scores_of(
    path: Path,
    data: Path,
    *,
    splits: Splits = PUBLISHED_SPLITS,
    per_class: Path | None = None,
    **config: Any,
) -> dict[str, Any]:
    dataset = Dataset.open(data, splits=splits, quiet=True)
    settings = EvaluationConfig(**{"bootstrap": 0, **config})
    return evaluate(path, dataset, settings, per_class=per_class, quiet=True)


SEGMENT_ROWS: list[Row] = [
    ("a", 0, {3: 0.9, 1: 0.1}),
    ("a", 5, {3: 0.8}),
    ("z", 0, {3: 0.7}),  # a video that is not there
    ("b", 10, {3: 0.6}),
    ("b", 15, {3: 0.5, 1: 0.4}),
]
RATINGS: dict[str, list[Rating]] = {
    "a": [(0, 3, 0.0), (0, 3, 1.0), (5, 1, 1.0)],  # rated twice: the last counts
    "b": [(10, 3, 0.0), (15, 3, 1.0), (20, 3, 1.0), (15, 1, 0.0)],
}


def segment_files(folder: Path) -> tuple[Path, Path]:
    data = write_corpus(folder / "data", {"a": (1,), "b": (), "c": (2,)}, RATINGS)
    return write_rows(folder / "p.parquet", SEGMENT_ROWS), data


def many(folder: Path, videos: int, seed: int = 0) -> tuple[Path, Path]:
    """Return a corpus of random labels, and predictions that correlate with them."""
    draw = np.random.default_rng(seed)
    labels = draw.random((videos, 5)) < 0.3
    scores = labels + draw.standard_normal(labels.shape)
    names = [f"v{video}" for video in range(videos)]
    folder.mkdir()
    rows: list[Row] = [
        (name, None, dict(enumerate(scores[v].tolist()))) for v, name in enumerate(names)
    ]
    truth = {name: np.flatnonzero(labels[v]).tolist() for v, name in enumerate(names)}
    ratings: dict[str, list[Rating]] = {
        name: [(0, c, float(labels[v, c])) for c in range(5)] for v, name in enumerate(names)
    }
    rows += [(name, 0, scores) for name, _, scores in rows]
    path = write_rows(folder / "p", rows, group=1000)
    return path, write_corpus(folder / "data", truth, ratings)
