"""Is a promised precision kept on other reels?

    python -m benchmarks.precision_kept WORK [WORK ...]     # of `reeltag solve moments` on reels

Thresholds that promise a precision are chosen on ratings that the model has not seen, and measured
on the ratings of the test reels:

    stage I     trained on noisy video labels alone: thresholds by all ratings of validation
    finder      trained on ratings too: its thresholds.json, by the ratings that `solve` held out

A class counts where at least `ENOUGH` test ratings reach its threshold; it keeps the promise unless
the 95 % interval (Clopper and Pearson) of its precision there is below it.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, composed
from benchmarks.results import Row, write_rows
from reeltag.core.console import say
from reeltag.data.dataset import Dataset
from reeltag.evaluation.rating_scores import RatingScores, score_ratings
from reeltag.evaluation.thresholds import clopper_pearson
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import Thresholds

PROMISES = (0.5, 0.7, 0.8, 0.9)
ENOUGH = 20  # test ratings that reach the threshold


def main() -> int:
    """Evaluate the works that are named, and write the rows of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision_kept")
    parser.add_argument("works", nargs="+", type=Path, metavar="WORK")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK, help="where reels are composed")
    options = parser.parse_args()
    reels = Dataset.open(composed("reels", options.data, options.work), quiet=True)
    for work in options.works:
        found = json.loads((work / "moments.json").read_text())
        folders = {each["name"]: Path(each["folder"]) for each in found["steps"]}
        about = {"data": "reels", "seed": found["config"]["seed"]}
        stage_1 = Tagger.load(folders["train-I"] / "run")
        chosen_on = score_ratings(stage_1, reels, "validate")
        measured_on = score_ratings(stage_1, reels, "test")
        rows = []
        for promise in PROMISES:
            thresholds = chosen_on.thresholds(stage_1.class_names, promise)
            rows.append(_row("stage I", thresholds, promise, measured_on))
        finder = Tagger.load(_folder(folders, "finder") / "run")
        assert finder.thresholds is not None and finder.thresholds.precision is not None
        of_test = score_ratings(finder, reels, "test")
        rows.append(_row("finder", finder.thresholds, finder.thresholds.precision, of_test))
        command = f"python -m benchmarks.precision_kept {work.name}"
        key = ("model", "promise", "seed")
        rows = [about | row for row in rows]
        write_rows("precision_kept", rows, key=key, measured=environment(command))
    return 0


def _folder(folders: dict[str, Path], name: str) -> Path:
    """Return the folder of the one step whose name begins so."""
    (found,) = (path for step, path in folders.items() if step.startswith(name))
    return found


def _row(model: str, thresholds: Thresholds, promise: float, scores: RatingScores) -> Row:
    """Return how many classes have a threshold, were measured, and kept the promise."""
    ratings, known = scores.truth.ratings, ~np.isnan(scores.scores)
    above = known & (scores.scores >= thresholds.high_logits[ratings.classes])
    size = len(thresholds.classes)
    number = np.bincount(ratings.classes[above], minlength=size)
    positive = np.bincount(ratings.classes[above & ratings.is_positive], minlength=size)
    measured = np.flatnonzero(number >= ENOUGH)
    intervals = [clopper_pearson(float(positive[c]), float(number[c])) for c in measured]
    kept = sum(high >= promise for _, high in intervals)
    row = {
        "model": model,
        "promise": promise,
        "rated_classes": len(np.unique(ratings.classes)),
        "with_threshold": size - len(thresholds.unreached),
        "num_measured": len(measured),
        "kept": kept,
        "precision": float(positive[measured].sum() / max(1, number[measured].sum())),
    }
    say(json.dumps(row))
    return row


if __name__ == "__main__":
    sys.exit(main())
