"""The papers' tables on real data, in several seeds: docs/results/reproductions.md.

    python -m benchmarks.reproductions [PROOF ...] [--seed 0 1 2]    run what is missing
    python -m benchmarks.reproductions --table    collect finished runs: results/reproductions.json

A proof is a solution with a data set and flags. Each seed has a WORK of its own; an interrupted one
resumes. An order states which of two of its models a paper finds better: ours are compared over all
seeds, by a paired bootstrap over the evaluated videos.
"""

import argparse
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import AUDIOSET, DATA, WORK, YT8M, YT8M_100, reeltag
from benchmarks.results import Row, write_rows
from benchmarks.techniques import place
from reeltag.data.dataset import Dataset
from reeltag.evaluation.comparison import differences
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import Scored, score_file
from reeltag.metrics.segment import AverageOver
from reeltag.report.results import ResultTable, read_results

SEEDS = range(10)  # that may be under WORK


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A solution on a data set.

    Attributes:
        solution: its name.
        data: a folder of ../shared/data, or data that are composed (benchmarks/proofs.py).
        flags: of `reeltag solve`; {implications} is the file that `labels` makes.
        labels: arguments of `reeltag labels`: of the clips of reels and mosaics.
        orders: (better, worse): steps that hold predictions, as the paper has them.
        metric: that decides which is better.
    """

    solution: str
    data: str
    flags: str = ""
    labels: str = ""
    orders: tuple[tuple[str, str], ...] = ()
    metric: str = "map@k"


def segments(*orders: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return orders of models as orders of the steps that predict segments with them."""
    return tuple((f"predict_segments-{one}", f"predict_segments-{other}") for one, other in orders)


def of_test(*orders: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return orders of models that are evaluated on two splits: as the test split has them."""
    return segments(*((f"{one}-test", f"{other}-test") for one, other in orders))


OPPO = (
    *segments(("II-A", "I"), ("II-B", "II-A"), ("II-C", "II-B"), ("III-A", "III-I")),
    *segments(("II-B", "original"), ("equal-fresh", "original-fresh")),
    *segments(("original", "original-fresh"), ("II-B", "equal-fresh")),
    *segments(("III-A", "II-A"), ("III-B", "II-B"), ("III-C", "II-C"), ("I", "I-all-frames")),
    ("mean-ensemble", "predict_segments-III-A"),
    ("mean-ensemble", "predict_segments-III-B"),
    ("mean-ensemble", "predict_segments-III-C"),
    ("mean-ensemble", "predict_segments-I"),
    ("mean-ensemble", "copy_video_scores-I"),
)
AUTOHOME = of_test(
    ("different", "same"),
    ("gru", "different"),
    ("m2", "gru"),
    ("m2.5", "gru"),
    ("m3", "gru"),
    ("tau0.4", "m2.5"),
    ("tau0.5", "m2.5"),
    ("tau0.6", "m2.5"),
    ("tau0.5", "same"),
    ("dbof-gcn", "dbof"),
)
MOMENTS = (
    ("predict_segments-II", "predict_segments-I"),
    ("predict_segments-II", "copy_video_scores-I"),
)
AXON = (  # mean-..., combine-... hold ensembles
    ("mean-mean-7-test", "predict_videos-lstm-1-test"),
    ("mean-mean-14-test", "mean-mean-7-test"),
    ("combine-weights-14-sgd-test", "mean-mean-14-test"),
    ("combine-weights-14-nnls-test", "mean-mean-14-test"),
    ("combine-weights-14-nnls-test", "predict_videos-lstm-2-test"),
    ("combine-weights-14-sgd-test", "combine-class-weights-14-sgd-test"),
    ("predict_videos-student-1-test", "predict_videos-student-0-test"),
    ("predict_videos-student-0.5-test", "predict_videos-student-0-test"),
    ("predict_videos-relation-test", "predict_videos-longer-test"),
    ("mean-netvlad+moe-augmented-test", "predict_videos-netvlad-1-test"),
)
SMALLER = "--clusters 32 --hidden 512 --epochs 12 --rate 0.001"
PROOFS = {
    "oppo2019-reels": Proof(solution="oppo2019", data="reels", orders=OPPO),
    "oppo2019-reels-more": Proof(  # four times the soft labels: why Equal is behind Original
        solution="oppo2019",
        data="reels",
        flags="--per-label 8 --per-class 400",
        orders=OPPO,
    ),
    "oppo2019-mosaics": Proof(
        solution="oppo2019",
        data="mosaics",
        flags=f"{SMALLER} --mix-clusters 28 --mix-hidden 512",
        orders=OPPO,
    ),
    "oppo2019-reels-uneven": Proof(  # Equal has something to make equal
        solution="oppo2019",
        data="reels_uneven",
        flags="--per-label 8 --per-class 200",
        orders=OPPO,
    ),
    "oppo2019-mosaics-uneven": Proof(  # and the rate that mosaics want
        solution="oppo2019",
        data="mosaics_uneven",
        flags=f"{SMALLER} --mix-clusters 28 --mix-hidden 512 --rated-rate 0.001 --per-label 8 "
        "--per-class 100",
        orders=OPPO,
    ),
    "autohome2019-reels": Proof(
        solution="autohome2019",
        data="reels",
        flags="--implications {implications}",
        labels="{data}/audioset --train bal_train-0[0-6]*",
        orders=AUTOHOME,
    ),
    "autohome2019-mosaics": Proof(
        solution="autohome2019",
        data="mosaics",
        flags="--implications {implications} --epochs 12 --rate 0.001",
        labels=f"{{data}}/yt8m {YT8M}",
        orders=AUTOHOME,
    ),
    "axon2018-audioset": Proof(
        solution="axon2018",
        data="audioset",
        flags=AUDIOSET,
        orders=AXON,
        metric="gap@20",
    ),
    "samsung2018-yt8m": Proof(
        solution="samsung2018",
        data="yt8m",
        flags=f"{YT8M} --members fcn fcn-dropout fcn-joint fcn-2-layers fcn-under-fitted "
        "sub-net-b sub-net-c resnet",
        metric="gap@20",
    ),
    "samsung2018-yt8m-10-folds": Proof(  # networks trained on nine tenths of the videos
        solution="samsung2018",
        data="yt8m",
        flags=f"{YT8M} --folds 10 --members fcn fcn-dropout fcn-joint fcn-2-layers sub-net-b "
        "sub-net-c",
        metric="gap@20",
    ),
    "samsung2018-yt8m-100": Proof(  # 110 shards to learn from, all members but the frame-level ones
        solution="samsung2018",
        data="yt8m",
        flags=f"{YT8M_100} --folds 10",
        metric="gap@20",
    ),
    "axon2018-yt8m-100": Proof(
        solution="axon2018",
        data="yt8m",
        flags=YT8M_100,
        orders=AXON,
        metric="gap@20",
    ),
    "moments-reels": Proof(solution="moments", data="reels", orders=MOMENTS),
    "moments-mosaics": Proof(solution="moments", data="mosaics", orders=MOMENTS),
}


def main() -> int:
    """Run the named proofs, or collect the finished ones."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.reproductions")
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=", ".join(PROOFS))
    parser.add_argument("--seed", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--table", action="store_true", help="gather, and write the results")
    options = parser.parse_args()
    if options.table:
        for row in gathered(options):
            command = f"python -m benchmarks.reproductions {row['proof']}"
            write_rows("reproductions", [row], key=("proof",), measured=environment(command))
        return 0
    for name, seed in itertools.product(options.proofs or PROOFS, options.seed):
        proof, work = PROOFS[name], work_of(name, seed, options.work)
        data = data_of(proof, options)
        file = implications(proof, options)
        command = command_of(proof, seed).format(implications=file)
        command += f" --data {data} --out {work}"
        subprocess.run([sys.executable, "-m", *shlex.split(command)], check=True)
    return 0


def command_of(proof: Proof, seed: int) -> str:
    """Return what a person types, but for --data and --out."""
    return f"reeltag solve {proof.solution} {proof.flags} --seed {seed}".replace("  ", " ")


def work_of(name: str, seed: int, work: Path) -> Path:
    """Return the WORK of a seed."""
    return work / f"solve-{name}-{seed}"


def data_of(proof: Proof, options: argparse.Namespace) -> Path:
    """Return the data folder; reels and mosaics are composed if need be."""
    (options.work / "techniques").mkdir(parents=True, exist_ok=True)
    return place(proof.data, options.data, options.work / "techniques")


def implications(proof: Proof, options: argparse.Namespace) -> Path | None:
    """Return the file of which class implies which, written if need be; None: not needed."""
    if not proof.labels:
        return None
    file: Path = options.work / "techniques" / f"{proof.data}-implications.parquet"
    if not file.exists():
        reeltag(f"labels {proof.labels.format(data=options.data)} --out {file}")
    return file


def gathered(options: argparse.Namespace) -> Iterator[Row]:
    """Yield every named proof that is there: its tables, what it took, its orders."""
    for name in options.proofs or PROOFS:
        proof = PROOFS[name]
        works = [work_of(name, seed, options.work) for seed in SEEDS]
        files = [file for work in works if (file := work / f"{proof.solution}.json").exists()]
        if not files:
            continue
        found = [json.loads(file.read_text()) for file in files]
        orders = [order(proof, pair, found, data_of(proof, options)) for pair in proof.orders]
        yield {
            "proof": name,
            "solution": proof.solution,
            "data": proof.data,
            "metric": proof.metric,
            "seeds": [each["config"]["seed"] for each in found],
            "commands": [command_of(proof, e["config"]["seed"]) for e in found],
            "minutes": [minutes(each) for each in found],
            "tables": [table_json(table) for table in read_results(files).tables],
            "orders": [each for each in orders if each],
        }


def minutes(found: Row) -> float:
    """Return what all steps of a result took together."""
    return round(sum(each["seconds"] or 0 for each in found["steps"]) / 60, 1)


def table_json(table: ResultTable) -> Row:
    """Return a table: means over the seeds, and each seed's figures."""
    rows = [
        {
            "name": row.name,
            "marks": list(row.marks),
            "paper": list(row.paper),
            "ours": [figure.value for figure in row.ours],
            "seeds": [list(figure.seeds) for figure in row.ours],
            "intervals": [figure.interval for figure in row.ours],
        }
        for row in table.rows
    ]
    heads = {"title": table.title, "marks": table.marks, "paper": table.paper, "ours": table.ours}
    return {**heads, "digits": table.digits, "note": table.note, "rows": rows}


def order(proof: Proof, pair: tuple[str, str], found: list[Row], data: Path) -> Row | None:
    """Return how far the better of a pair is ahead in ours; None where it is not there."""
    sides = [[file for each in found if (file := predictions(each, name))] for name in pair]
    if not all(len(side) == len(found) for side in sides):
        return None
    better, worse = map(named, pair)
    return {"better": better, "worse": worse, **ahead(sides[0], sides[1], data, proof.metric)}


def named(step: str) -> str:
    """Return the model that a step predicts with, or the ensemble that it makes."""
    return re.sub("^predict_[a-z]+-|-test$", "", step)


def ahead(files: list[Path], others: list[Path], data: Path, metric: str) -> Row:
    """Return how far predictions, one file a seed, are ahead of others."""
    over: AverageOver = "rated" if metric == "map@k" else "listed"
    sides = [[(file, _scored(file, data, over)) for file in side] for side in (files, others)]
    difference = differences(*sides)[metric]
    return {
        "value": difference.value,
        "against": difference.against,
        "difference": difference.difference,
        "interval": difference.interval,
        "seed_sd": difference.seed_sd,
        "seeds": len(files),
    }


@cache
def _scored(file: Path, data: Path, over: AverageOver) -> Scored:
    """Return the scores of a file that several orders need."""
    config = EvaluationConfig(average_over=over, bootstrap=400)
    return score_file(file, Dataset.open(data, quiet=True), config, quiet=True)


def predictions(found: Row, name: str) -> Path | None:
    """Return the prediction file of a step; None where the solution has no such step."""
    for step in found["steps"]:
        if step["name"] == name:
            file = Path(step["folder"]) / "predictions.parquet"
            return file if file.exists() else None
    return None


if __name__ == "__main__":
    sys.exit(main())
