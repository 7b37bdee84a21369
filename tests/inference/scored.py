"""Small corpora and prediction files whose scores are known."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.data.class_list import ClassList
from reeltag.predictions.file import PredictionInfo
from reeltag.predictions.rows import PredictionRows
from tests.data.made import frame_record, rated_record, write_shard

Row = tuple[str, int | None, Mapping[int, float]]  # id, start in seconds, score by class
Rating = tuple[int, int, float]  # start, class, score
# An example worked by hand.
EXAMPLE_SCORES = {
    "v1": (0.9, 0.1, 0.4, 0.05, 0.3),
    "v2": (0.2, 0.8, 0.6, 0.7, 0.01),
    "v3": (0.15, 0.25, 0.35, 0.45, 0.55),
}
EXAMPLE_LABELS = {"v1": (0, 2), "v2": (1, 4), "v3": (3,)}


def write_corpus(
    folder: Path,
    labels: Mapping[str, Iterable[int]],
    ratings: Mapping[str, list[Rating]] | None = None,
    *,
    num_classes: int = 5,
    shard: str = "test0",
) -> Path:
    """Write one shard, and a class list next to it; videos with ratings have 100 seconds."""
    folder.mkdir(exist_ok=True)
    ClassList.numbered(num_classes).save(folder / "classes.csv")
    records = []
    for name, truth in labels.items():
        rated = (ratings or {}).get(name)
        if rated:
            values = np.array([*truth], np.int64)
            records.append(rated_record(name, 100, rated, labels=values))
        else:
            records.append(frame_record(name, 7, truth))
    write_shard(folder / f"{shard}.tfrecord", records)
    return folder


def write_rows(path: Path, rows: Iterable[Row], *, num_classes: int = 5, group: int = 3) -> Path:
    """Write a prediction file of small row groups; classes are put best first, stably."""
    columns: dict[str, list[object]] = {name: [] for name in PredictionRows.SCHEMA.names}
    for name, start, scores in rows:
        best = sorted(scores, key=lambda category: -scores[category])
        end = None if start is None else start + 5
        values = name, start, end, best, [scores[category] for category in best]
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    schema = PredictionRows.SCHEMA.with_metadata(
        PredictionInfo(num_classes=num_classes).schema().metadata
    )
    pq.write_table(pa.table(columns, schema), path, row_group_size=group)
    return path


def example(folder: Path, best: int = 5) -> tuple[Path, Path]:
    """Return the worked example as a prediction file, of the `best` classes, and a corpus."""
    rows = []
    for name, scores in EXAMPLE_SCORES.items():
        kept = sorted(range(5), key=lambda category: -scores[category])[:best]
        rows.append((name, None, {category: scores[category] for category in kept}))
    data = write_corpus(folder / "data", EXAMPLE_LABELS)
    return write_rows(folder / "p.parquet", rows), data
