"""Names of the files in the folders of steps, and readers of the smallest of them."""

import json
from pathlib import Path
from typing import Any

RUN = "run"  # run folder of a training
PREDICTIONS = "predictions.parquet"
OUT_OF_FOLD = "out_of_fold.parquet"  # predictions of the training videos
CROSS_ENTROPY = "cross_entropy.npy"  # (V,) of the evaluated videos, next to their predictions
SOFT_LABELS = "soft.parquet"
SCORES = "scores.json"  # of an evaluation or comparison
TENSORS = "tensors.safetensors"
BLEND = "blend"  # folder of learned weights, as `reeltag blend --save` writes it
TREES = "trees"  # folder of grown trees
DATA = "data"  # data folder that a step writes
COUNTS = "counts.json"  # samples of an augmentation


def read_scores(folder: Path) -> Any:  # noqa: ANN401  (as the json module returns it)
    """Return what an evaluation or comparison has written."""
    return json.loads((folder / SCORES).read_text(encoding="utf-8"))


def read_counts(folder: Path) -> dict[str, int]:
    """Return how many samples `augment` had before and after, and of each kind."""
    found: dict[str, int] = json.loads((folder / COUNTS).read_text(encoding="utf-8"))
    return found
