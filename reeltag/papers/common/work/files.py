"""Files inside of the folders of steps, by name, and what reads the smallest of them."""

import json
from pathlib import Path
from typing import Any

RUN = "run"  # run folder inside of what a training makes
PREDICTIONS = "predictions.parquet"  # inside of what a prediction makes
OUT_OF_FOLD = "out_of_fold.parquet"  # predictions of the training videos, beside it
CROSS_ENTROPY = "cross_entropy.npy"  # (V,) of the videos that judge, beside it
SOFT = "soft.parquet"  # inside of what a softening makes
SCORES = "scores.json"  # of what a scoring or comparing makes


def read_scores(folder: Path) -> Any:  # noqa: ANN401  (as the json module returns it)
    """Return what a `score` or `compare` step has written."""
    return json.loads((folder / SCORES).read_text())
