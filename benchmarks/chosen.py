"""One model and one ensemble, chosen on the tune part, then judged on test: results/chosen.json.

    python -m benchmarks.chosen [CONTEST ...] [--work WORK]

Every candidate is trained once, with seed 0, and its best validation on the tune part is kept. The
best of them is trained with further seeds and evaluated on the test part; so is the mean of the
best kinds, several seeds each. Nothing is chosen on the test part here. What is there is not done
again.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import AUDIOSET, DATA, WORK, YT8M_100, reeltag
from benchmarks.results import Row, write_rows
from reeltag.core.console import say

SEEDS = (0, 1, 2)  # of the chosen model
KINDS = 4  # best candidates in the ensemble, SEEDS each


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Candidates for one data set.

    Attributes:
        data: folder of ../shared/data.
        splits: which shards.
        budget: flags of all trainings.
        candidates: name -> model and flags.
        metric: that decides, as `evaluate --json` calls it.
        top_k: classes that a prediction keeps of a video.
        single: target of one model.
        ensemble: target of the mean of several.
        graph: target of that mean as one graph under 1 GB; None: not asked for.
    """

    data: str
    splits: str
    budget: str
    candidates: Mapping[str, str]
    metric: str
    top_k: int
    single: float
    ensemble: float
    graph: float | None = None


_FCN = "early_concat_fcn_norm --preprocessing.normalise streams --learning-rate 0.002"
_WIDE = f"{_FCN} --weight-decay 0.01 --model.hidden 2048"
_DROP = "--model.input-dropout 0.3 --model.dropout 0.6"
_VLAD = (
    "netvlad --learning-rate 0.001 --model.num-clusters 64 --model.hidden 512 --frames.how all "
    "--frames.num-frames 0"
)
_BAG = "dbof --learning-rate 0.001 --frames.how all --frames.num-frames 0"
CONTESTS = {
    "yt8m_100": Contest(
        data="yt8m",
        splits=YT8M_100,
        budget="--precision bf16 --batch-size 256 --schedule one-cycle",
        candidates={
            "fcn, 8 epochs": f"{_FCN} --epochs 8",
            "fcn": f"{_FCN} --weight-decay 0.01 --epochs 15",
            "fcn, 2048 units": f"{_WIDE} --epochs 15",
            "fcn, 2048 units, more dropout": f"{_WIDE} {_DROP} --epochs 15",
            "fcn, 2048 units, more dropout, 25 epochs": f"{_WIDE} {_DROP} --epochs 25",
            "fcn, 4096 units, most dropout": f"{_FCN} --weight-decay 0.01 --model.hidden 4096 "
            "--model.input-dropout 0.3 --model.dropout 0.7 --epochs 15",
            "fcn, two layers of 2048": f"{_FCN} --weight-decay 0.01 --model.hidden 2048 2048 "
            "--model.input-dropout 0.3 --model.dropout 0.5 --epochs 15",
            "fcn, 2048 units, more dropout, strong decay": f"{_FCN} --weight-decay 0.1 "
            f"--model.hidden 2048 {_DROP} --epochs 15",
            "sub_net_b": "sub_net_b --learning-rate 0.0015 --epochs 8",
            "sub_net_c": "sub_net_c --learning-rate 0.0015 --epochs 8",
        },
        metric="gap@20",
        top_k=100,
        single=0.720,
        ensemble=0.740,
        graph=0.735,
    ),
    "audioset": Contest(
        data="audioset",
        splits=AUDIOSET,
        budget="--precision bf16 --batch-size 128 --schedule one-cycle --metric map",
        candidates={
            "netvlad": f"{_VLAD} --epochs 12",
            "netvlad, mixup": f"{_VLAD} --epochs 20 --augment.mixup 0.4",
            "netvlad, mixup of samples": f"{_VLAD} --epochs 20 --augment.mixup 1 "
            "--augment.mixup-per sample",
            "dbof": f"{_BAG} --epochs 12",
            "dbof, mixup of samples": f"{_BAG} --epochs 20 --augment.mixup 1 "
            "--augment.mixup-per sample",
            "attention_net": "attention_net --learning-rate 0.001 --epochs 12 --frames.how all "
            "--frames.num-frames 0",
        },
        metric="map",
        top_k=527,
        single=0.30,
        ensemble=0.33,
    ),
}


def main() -> int:
    """Run the contests that are named."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.chosen")
    parser.add_argument("contests", nargs="*", metavar="CONTEST", help=", ".join(CONTESTS))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    if unknown := {*options.contests} - CONTESTS.keys():
        parser.error(f"there is no contest {unknown.pop()!r}")
    for name in options.contests or CONTESTS:
        work = options.work / "chosen" / name
        work.mkdir(parents=True, exist_ok=True)
        measured = environment(f"python -m benchmarks.chosen {name}")
        decide(name, CONTESTS[name], options.data, work, measured)
    return 0


def decide(name: str, contest: Contest, data: Path, work: Path, measured: Row) -> None:
    """Train the candidates, choose, judge what was chosen, and write the rows as they come."""
    found = []
    for candidate in contest.candidates:
        row = tuned(contest, candidate, data, work)
        found.append(row)
        write_rows(
            "chosen",
            [{"contest": name, **row}],
            key=("contest", "candidate"),
            measured=measured,
            part="candidates",
        )
    order = sorted(found, key=lambda row: -row["tune"])
    best = [row["candidate"] for row in order]
    say(f"{name}: {best[0]} is best on the tune part")
    rows = [single(contest, best[0], data, work), *ensemble(contest, best[:KINDS], data, work)]
    rows = [{"contest": name, **row} for row in rows]
    write_rows("chosen", rows, key=("contest", "what"), measured=measured, part="chosen")


def tuned(contest: Contest, candidate: str, data: Path, work: Path) -> Row:
    """Return the best validation of a candidate, seed 0."""
    run = trained(contest, candidate, 0, data, work)
    metrics = json.loads((run / "metrics.json").read_text())
    return {
        "candidate": candidate,
        "train": f"reeltag train {contest.candidates[candidate]} {contest.budget}",
        "tune": metrics["best"],
        "steps": metrics["steps"],
        "seconds": round(metrics["seconds"], 1),
    }


def single(contest: Contest, candidate: str, data: Path, work: Path) -> Row:
    """Return what one model reaches on test, in several seeds."""
    values = [evaluated(contest, predicted(contest, candidate, s, data, work), data) for s in SEEDS]
    mean = sum(value for value, _ in values) / len(values)
    return {
        "what": "one model",
        "of": [candidate],
        "seeds": [*SEEDS],
        "values": [value for value, _ in values],
        "intervals": [ends for _, ends in values],
        "value": mean,
        "target": contest.single,
        "met": mean >= contest.single,
    }


def ensemble(contest: Contest, kinds: list[str], data: Path, work: Path) -> list[Row]:
    """Return what the mean of some candidates, several seeds each, reaches, and as one graph."""
    files = [predicted(contest, kind, s, data, work) for kind in kinds for s in SEEDS]
    key = digest(*map(str, files))
    blend, mean = work / f"blend-{key}", work / f"mean-{key}.parquet"
    if not mean.exists():
        shutil.rmtree(blend, ignore_errors=True)  # of a program that was stopped between the two
        names = " ".join(map(str, files))
        reeltag(f"blend {names} --method mean --save {blend} --out {mean}")
    value, ends = evaluated(contest, mean, data)
    about = {"of": kinds, "seeds": [*SEEDS], "values": [value], "intervals": [ends]}
    rows = [
        {
            "what": f"mean of {len(files)} models",
            **about,
            "value": value,
            "target": contest.ensemble,
            "met": value >= contest.ensemble,
        }
    ]
    if contest.graph is None:
        return rows
    model, scored = work / f"graph-{key}.onnx", work / f"graph-{key}.parquet"
    if not scored.exists():
        model.unlink(missing_ok=True)
        reeltag(f"export {blend} --out {model} --max-bytes 1GB")
        reeltag(
            f"predict {model} --data {data / contest.data} {contest.splits} --split test "
            f"--top-k {contest.top_k} --out {scored}"
        )
    value, ends = evaluated(contest, scored, data)
    about |= {"values": [value], "intervals": [ends], "bytes": model.stat().st_size}
    met = value >= contest.graph
    row = {"what": "one graph", **about, "value": value, "target": contest.graph, "met": met}
    return [*rows, row]


def trained(contest: Contest, candidate: str, seed: int, data: Path, work: Path) -> Path:
    """Return the run of a candidate, which is trained if it is not there."""
    flags = f"{contest.candidates[candidate]} {contest.budget} {contest.splits}"
    run = work / f"{flags.split()[0]}-{digest(flags)}-seed{seed}"
    if not (run / "metrics.json").exists():
        reeltag(
            f"train --resume {run}"
            if (run / "config.json").exists()
            else f"train {flags} --data {data / contest.data} --seed {seed} --out {run}"
        )
        (run / "resume.ckpt").unlink(missing_ok=True)  # the weights stay
    return run


def predicted(contest: Contest, candidate: str, seed: int, data: Path, work: Path) -> Path:
    """Return the predictions of a candidate for the test part."""
    run = trained(contest, candidate, seed, data, work)
    file = run.with_suffix(".parquet")
    if not file.exists():
        reeltag(
            f"predict {run} --data {data / contest.data} {contest.splits} --split test "
            f"--top-k {contest.top_k} --out {file}"
        )
    return file


def digest(*words: str) -> str:
    """Return a short name for what something is made of."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def evaluated(contest: Contest, file: Path, data: Path) -> tuple[float, list[float]]:
    """Return the metric of predictions on test, and its interval."""
    found = reeltag(
        f"evaluate {file} --data {data / contest.data} {contest.splits} --split test --json"
    )
    return found[contest.metric], found[f"{contest.metric}_interval"]


if __name__ == "__main__":
    sys.exit(main())
