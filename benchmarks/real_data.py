"""Quality on real data: train, predict, evaluate, and write a row of results/real_data.json.

    python -m benchmarks.real_data [NAME ...] [--data ../shared/data] [--work build/real] [--seed 0]

Each proof is the commands a person would type (benchmarks/proofs.py). Data and protocol:
docs/results/index.md.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import AUDIOSET, DATA, WORK, YT8M, Proof, prove
from benchmarks.results import write_rows
from reeltag.core.console import say

PROOFS = {
    "yt8m_moe2": Proof(
        data="yt8m",
        splits=YT8M,
        train="moe_2 --precision bf16 --schedule one-cycle --learning-rate 0.03 "
        "--batch-size 256 --epochs 12",
        predict="--top-k 100",
        metric="gap@20",
        target=0.645,
    ),
    "yt8m_moe16": Proof(
        data="yt8m",
        splits=YT8M,
        train="moe_16 --precision bf16 --schedule one-cycle --learning-rate 0.03 "
        "--batch-size 256 --epochs 8",
        predict="--top-k 100",
        metric="gap@20",
        target=0.645,
    ),
    "yt8m_early_concat_fcn": Proof(
        data="yt8m",
        splits=YT8M,
        train="early_concat_fcn_norm --preprocessing.normalise streams --precision bf16 "
        "--schedule one-cycle --learning-rate 0.002 --weight-decay 0.01 --clip per-tensor "
        "--clip-norm 1 --batch-size 256 --epochs 15",
        predict="--top-k 100",
        metric="gap@20",
        target=0.690,
    ),
    "audioset_nextvlad": Proof(
        data="audioset",
        splits=AUDIOSET,
        train="nextvlad --schedule one-cycle --metric map --learning-rate 0.002 "
        "--batch-size 128 --epochs 15 --model.num-clusters 64 --model.hidden 1024",
        predict="--top-k 527",
        metric="map",
        target=0.23,
    ),
    "audioset_netvlad": Proof(
        data="audioset",
        splits=AUDIOSET,
        train="netvlad --schedule one-cycle --metric map --learning-rate 0.001 "
        "--batch-size 128 --epochs 12 --model.num-clusters 64 --model.hidden 512 "
        "--frames.how all --frames.num-frames 0",
        predict="--top-k 527",
        metric="map",
        target=0.23,
    ),
    "reels_logistic": Proof(
        data="reels",
        train="logistic --schedule one-cycle --learning-rate 0.02 --batch-size 80 --epochs 20",
        predict="--segments",
        metric="map@k",
    ),
    "reels_nextvlad": Proof(
        data="reels",
        train="nextvlad --schedule one-cycle --learning-rate 0.002 --batch-size 80 --epochs 20 "
        "--model.num-clusters 64 --model.hidden 1024 --frames.how stride",
        predict="--segments",
        metric="map@k",
    ),
}


def main() -> int:
    """Run the proofs that are named; return 1 if one missed its target."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.real_data")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROOFS))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    missed = 0
    for name in options.names or PROOFS:
        found = prove(PROOFS[name], name, options.data, options.work, options.seed)
        command = f"python -m benchmarks.real_data {name} --seed {options.seed}"
        row = {"proof": name, "seed": options.seed, **found}
        write_rows("real_data", [row], key=("proof", "seed"), measured=environment(command))
        target = f", target {found['target']}" if "target" in found else ""
        say(f"{name}: {found['metric']} {found['value']:.4f}{target}")
        missed += found.get("met") is False
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
