"""Why some of OPPO's orders fail on reels and mosaics: results/failed_orders.json.

    python -m benchmarks.reproductions oppo2019-reels oppo2019-reels-more oppo2019-mosaics
    python -m benchmarks.failed_orders [--work WORK]

Equal > Original: how unevenly the segments that get soft labels are spread over the evaluated
classes, next to the same of YouTube-8M's training videos, where the paper's were drawn; and the
order with an m that cuts most classes, as the paper's does. B > A, and pre-training > none on
mosaics: the orders when stage II learns at the rate that fresh weights have. What is there is not
done again.
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK
from benchmarks.reproductions import PROOFS, ahead, command_of, data_of, work_of
from benchmarks.results import Row, write_rows
from reeltag.cli.solve import Solve
from reeltag.data.dataset import Dataset
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import folder_of, locator
from reeltag.soft_labels.storage import SoftLabelRows, open_soft_labels

PER_LABEL, PER_CLASS = 2, 1000  # the paper's n and m
CUT = "--per-class 40"
DRAWN = (
    ("oppo2019-reels", ""),
    ("oppo2019-reels-more", ""),
    ("oppo2019-reels-more", CUT),
    ("oppo2019-mosaics", ""),
    ("oppo2019-reels-uneven", ""),
    ("oppo2019-mosaics-uneven", ""),
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A proof with other flags, and the orders that they are about."""

    name: str
    about: str
    proof: str
    flags: str
    seeds: tuple[int, ...]
    orders: tuple[tuple[str, str], ...]


TRIALS = (
    Trial(
        name="cut",
        about="Equal cuts most classes",
        proof="oppo2019-reels-more",
        flags=CUT,
        seeds=(0,),
        orders=(("II-B", "II-A"), ("II-B", "original"), ("equal-fresh", "original-fresh")),
    ),
    Trial(
        name="rate-reels",
        about="stage II at the rate of stage I, reels",
        proof="oppo2019-reels",
        flags="--rated-rate 0.002",
        seeds=(0, 1, 2),
        orders=(("II-B", "II-A"), ("II-C", "II-B"), ("II-B", "equal-fresh")),
    ),
    Trial(
        name="rate-mosaics",
        about="stage II at the rate of stage I, mosaics",
        proof="oppo2019-mosaics",
        flags="--rated-rate 0.001",
        seeds=(0, 1, 2),
        orders=(
            ("II-B", "II-A"),
            ("II-B", "equal-fresh"),
            ("original", "original-fresh"),
            ("II-B", "original"),
        ),
    ),
    *(
        Trial(
            name=f"uneven-{kind}",
            about=f"themes of very different frequency, {kind}",
            proof=f"oppo2019-{kind}-uneven",
            flags="",
            seeds=(0, 1, 2),
            orders=(
                ("II-B", "II-A"),
                ("II-C", "II-B"),
                ("II-B", "original"),
                ("equal-fresh", "original-fresh"),
            ),
        )
        for kind in ("reels", "mosaics")
    ),
)


def main() -> int:
    """Count, train and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.failed_orders")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument(
        "trials", nargs="*", metavar="TRIAL", help=", ".join(of.name for of in TRIALS)
    )
    options = parser.parse_args()
    if unknown := {*options.trials} - {of.name for of in TRIALS}:
        parser.error(f"there is no trial {unknown.pop()!r}")
    measured = environment("python -m benchmarks.failed_orders")
    chosen = [of for of in TRIALS if of.name in options.trials or not options.trials]
    proofs = {of.proof for of in chosen}
    for trial in chosen:
        rows = [tried(trial, options)]
        write_rows("failed_orders", rows, key=("about",), measured=measured, part="trials")
    spreads = [] if options.trials else [spread_of_paper(options.data / "yt8m")]
    spreads += [spread(name, flags, options) for name, flags in DRAWN if name in proofs]
    write_rows("failed_orders", spreads, key=("drawn",), measured=measured, part="spreads")
    return 0


def spread_of_paper(data: Path) -> Row:
    """Return how the paper's draws are spread: n of each training video with the label."""
    with (data / "segment_label_ids.csv").open() as file:
        evaluated = {row["Index"] for row in csv.DictReader(file)}
    with (data / "vocabulary.csv").open() as file:
        of = [
            int(row["TrainVideoCount"]) for row in csv.DictReader(file) if row["Index"] in evaluated
        ]
    return {"drawn": "YouTube-8M", **_spread(PER_LABEL * np.array(of), PER_CLASS)}


def spread(name: str, flags: str, options: argparse.Namespace) -> Row:
    """Return how the Original set of a proof is spread over the evaluated classes, seed 0."""
    steps, work = _steps(name, flags, 0, options)
    equal = steps["train-II-B"].config["fields"]["soft.equal"]
    original = steps["train-original"].config["fields"]["soft.file"]
    file = open_soft_labels(original.locate(locator(work)))
    rows = SoftLabelRows.concatenate(file.rows())
    evaluated = [*steps["predict_segments-II-A"].config["evaluation"].classes]
    counts = np.bincount(rows.drawn_for, minlength=max(evaluated) + 1)[evaluated]
    return {"drawn": f"{name} {flags}".strip(), **_spread(counts, equal)}


def tried(trial: Trial, options: argparse.Namespace) -> Row:
    """Return the orders of a trial."""
    files: dict[str, list[Path]] = {}
    for seed in trial.seeds:
        steps, work = _steps(trial.proof, trial.flags, seed, options)
        for name in dict.fromkeys(name for pair in trial.orders for name in pair):
            step = steps[f"predict_segments-{name}"]
            run(step, work)
            files.setdefault(name, []).append(folder_of(step, work) / "predictions.parquet")
    data, orders = data_of(PROOFS[trial.proof], options), []
    for better, worse in trial.orders:
        found = ahead(files[better], files[worse], data, PROOFS[trial.proof].metric)
        orders.append({"better": better, "worse": worse, **found})
    command = f"{command_of(PROOFS[trial.proof], trial.seeds[0])} {trial.flags}"
    return {"about": trial.about, "command": command, "seeds": [*trial.seeds], "orders": orders}


def _steps(
    name: str, flags: str, seed: int, options: argparse.Namespace
) -> tuple[dict[str, Step], Path]:
    """Return the steps of a seed of a proof with more flags, by name, and their folder."""
    proof, work = PROOFS[name], work_of(name, seed, options.work)
    command = command_of(proof, seed).removeprefix("reeltag solve ")
    solve = Solve.parse([*command.split(), *flags.split(), "--out", str(work)])
    assert isinstance(solve, Solve)
    data = Dataset.open(data_of(proof, options))
    goal = solve.program.solve(data, solve.options.config)
    return {step.name: step for step in ordered(goal.steps) if isinstance(step, Step)}, work


def _spread(counts: NDArray[np.int64], per_class: int) -> Row:
    """Return how many segments the classes have, and how many an equal set would take of them."""
    low, middle, high = np.quantile(counts, [0.1, 0.5, 0.9])
    return {
        "classes": len(counts),
        "segments": int(counts.sum()),
        "least": int(counts.min()),
        "tenth": float(low),
        "median": float(middle),
        "ninetieth": float(high),
        "most": int(counts.max()),
        "per_class": per_class,
        "classes_cut": int((counts > per_class).sum()),
        "segments_equal": int(np.minimum(counts, per_class).sum()),
    }


if __name__ == "__main__":
    sys.exit(main())
