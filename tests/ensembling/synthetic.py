"""Prediction files made by hand, for the tests of ensembles."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import Kind, PredictionRows
from tests.windows import segments_at

Listed = dict[tuple[str, int], dict[int, float]]


def rows_of(listed: Listed) -> PredictionRows:
    """Return rows out of {(id, start): {class: logit}}; the start -1 is a whole video."""
    ranked = [sorted(of.items(), key=lambda pair: -pair[1]) for of in listed.values()]
    times = segments_at([start for _, start in listed])
    return PredictionRows(
        np.cumsum([0, *map(len, ranked)]),
        np.array([each for row in ranked for each, _ in row], np.int32),
        np.array([score for row in ranked for _, score in row], np.float32),
        ids=pa.array([name for name, _ in listed], pa.string()),
        starts=times[:, 0],
        ends=times[:, 1],
    )


def write(path: Path, *kinds: Listed, num_classes: int = 6, **info: Any) -> Path:
    """Write a file of predictions, each kind in row groups of its own."""
    about = PredictionInfo(num_classes=num_classes, **{"family": "logistic", **info})
    with prediction_writer(path, about) as writer:
        for listed in kinds:
            writer.write(rows_of(listed))
            writer.flush()
    return path


def read(path: Path, kind: Kind = "videos") -> Listed:
    """Return what a file says, and see that scores fall."""
    found: Listed = {}
    for part in open_predictions(path).rows(kind):
        for at in range(len(part)):
            here = slice(part.indptr[at], part.indptr[at + 1])
            assert (np.diff(part.scores[here]) <= 0).all()
            start = int(part.starts[at])
            pairs = zip(part.classes[here].tolist(), part.scores[here].tolist(), strict=True)
            found[part.ids[at].as_py(), start] = dict(pairs)
    return found


def drawn(seed: int, count: int = 40, classes: int = 6, listed: int = 3, start: int = -1) -> Listed:
    """Return `count` things with some classes each; those of two seeds differ in all but ids."""
    random = np.random.default_rng(seed)
    return {
        (f"v{at // 2}" if start >= 0 else f"v{at}", start if start < 0 else 5 * (at % 2)): {
            int(c): float(np.float32(random.normal(-1, 2)))
            for c in random.choice(classes, listed, replace=False)
        }
        for at in range(count)
    }
