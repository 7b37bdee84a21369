"""Quality on real data: train, predict, evaluate, and write results/real_<name>.json.

    python -m benchmarks.real_data [NAME ...] [--data ../shared/data] [--work build/real] [--seed 0]

Each proof is the commands a person would type. What is done already under --work is not done again,
so an interrupted proof goes on. Data and protocol: docs/results.md.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import PROJECT, write_result
from reeltag.core.console import say

YT8M = "--train video/validate00[0-5]? --validate video/validate006? --test video/validate007?"
AUDIOSET = "--train bal_train-0[0-6]* --validate bal_train-07* --test eval*"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One figure: what is trained on what, how it is predicted, and the bar."""

    data: str
    train: str
    predict: str
    metric: str
    bar: float | None
    splits: str = ""


PROOFS = {
    "yt8m_moe2": Proof(
        data="yt8m",
        splits=YT8M,
        train="moe_2 --precision bf16 --schedule one-cycle --learning-rate 0.03 "
        "--batch-size 256 --epochs 12",
        predict="--top-k 100",
        metric="gap@20",
        bar=0.645,
    ),
    "yt8m_moe16": Proof(
        data="yt8m",
        splits=YT8M,
        train="moe_16 --precision bf16 --schedule one-cycle --learning-rate 0.03 "
        "--batch-size 256 --epochs 8",
        predict="--top-k 100",
        metric="gap@20",
        bar=0.645,
    ),
    "audioset_nextvlad": Proof(
        data="audioset",
        splits=AUDIOSET,
        train="nextvlad --schedule one-cycle --metric map --learning-rate 0.002 "
        "--batch-size 128 --epochs 15 --model.num-clusters 64 --model.hidden 1024",
        predict="--top-k 527",
        metric="map",
        bar=0.23,
    ),
    "audioset_netvlad": Proof(
        data="audioset",
        splits=AUDIOSET,
        train="netvlad --schedule one-cycle --metric map --learning-rate 0.001 "
        "--batch-size 128 --epochs 12 --model.num-clusters 64 --model.hidden 512 "
        "--frames.how all --frames.num-frames 0",
        predict="--top-k 527",
        metric="map",
        bar=0.23,
    ),
    "reels_logistic": Proof(
        data="reels",
        train="logistic --schedule one-cycle --learning-rate 0.02 --batch-size 80 --epochs 20",
        predict="--segments",
        metric="map@k",
        bar=None,
    ),
    "reels_nextvlad": Proof(
        data="reels",
        train="nextvlad --schedule one-cycle --learning-rate 0.002 --batch-size 80 --epochs 20 "
        "--model.num-clusters 64 --model.hidden 1024 --frames.how stride",
        predict="--segments",
        metric="map@k",
        bar=None,
    ),
}


def main() -> int:
    """Run the proofs asked for; return 1 if one missed its bar."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.real_data")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROOFS))
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=PROJECT / "build" / "real")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    missed = [
        name
        for name in options.names or PROOFS
        if not _prove(name, options.data, options.work, options.seed)
    ]
    return int(bool(missed))


def _prove(name: str, data: Path, work: Path, seed: int) -> bool:
    proof = PROOFS[name]
    root = (work if proof.data in ("reels", "mosaics") else data) / proof.data
    if not root.exists():
        _compose(proof.data, data, root)
    run = work / f"{name}-seed{seed}"
    predictions = run.with_suffix(".parquet")
    began = time.monotonic()
    if not (run / "metrics.json").exists():
        begun = (run / "resume.ckpt").exists()
        _reeltag(
            f"train --resume {run}"
            if begun
            else f"train {proof.train} --data {root} {proof.splits} --seed {seed} --out {run}"
        )
    if not predictions.exists():
        _reeltag(f"predict {run} --data {root} --split test {proof.predict} --out {predictions}")
    found = _reeltag(f"evaluate {predictions} --data {root} --split test {proof.splits} --json")
    value = found[proof.metric]
    met = proof.bar is None or value >= proof.bar
    trained = json.loads((run / "metrics.json").read_text())
    write_result(
        f"real_{name}" + (f"_seed{seed}" if seed else ""),
        f"python -m benchmarks.real_data {name}" + (f" --seed {seed}" if seed else ""),
        {
            "data": proof.data,
            "train": f"reeltag train {proof.train} {proof.splits} --seed {seed}",
            "predict": f"reeltag predict RUN --split test {proof.predict}",
            "seed": seed,
            "metric": proof.metric,
            "value": value,
            "interval": found[f"{proof.metric}_interval"],
            "bar": proof.bar,
            "met": met,
            "training": trained,
            "seconds_here": round(time.monotonic() - began, 1),
            "evaluation": found,
        },
    )
    say(f"{name}: {proof.metric} {value:.4f}" + ("" if proof.bar is None else f", bar {proof.bar}"))
    return met


def _compose(kind: str, data: Path, root: Path) -> None:
    """Build reels by the protocol of ../shared/DESIGN.md (the cuts are artificial)."""
    clips, strong = data / "audioset", data / "audioset" / "eval_strong.csv"
    parts = {
        "train": f"{clips}/bal_train-* --videos 4000 --seed 1",
        "validate": f"{clips}/eval-* --strong {strong} --part 0/5,1/5,2/5 --videos 800 --seed 2",
        "test": f"{clips}/eval-* --strong {strong} --part 3/5,4/5 --videos 800 --seed 3",
    }
    program = data.parent / "tools" / "compose.py"
    for split, arguments in parts.items():
        out = ["--out", str(root / split)]
        command = [sys.executable, str(program), kind, "--clips", *arguments.split(), *out]
        subprocess.run(command, check=True)


def _reeltag(arguments: str) -> dict[str, Any]:
    """Type a command; return its JSON, if it printed any."""
    say(f"$ reeltag {arguments}")
    done = subprocess.run(
        [sys.executable, "-m", "reeltag", *arguments.split()],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    last = done.stdout.strip().splitlines()[-1:]
    answer: dict[str, Any] = json.loads(last[0]) if last and last[0].startswith("{") else {}
    return answer


if __name__ == "__main__":
    sys.exit(main())
