"""One graph to deploy, and how much the data hold: results/deployable.json.

    python -m benchmarks.reproductions samsung2018-yt8m-10-folds --seed 0    # first
    python -m benchmarks.deployable [--work WORK]

Its ten networks `fcn`, each of nine tenths of the videos, become a blend, the blend an ONNX graph
in fp32 and in uint8, which onnxruntime scores the test videos with. Then the same network alone, on
10 to 60 of the training shards. What is there is not done again.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, reeltag
from benchmarks.reproductions import work_of
from benchmarks.results import Row, write_rows

PROOF, MEMBERS = "samsung2018-yt8m-10-folds", "train-fcn-fold-*/run"
TARGET = 0.70  # GAP@20 of one graph under 1 GB
TEST = "--test video/validate007? --split test"
LEARNER = (
    "early_concat_fcn_norm --preprocessing.normalise streams --learning-rate 0.002 "
    "--precision bf16 --batch-size 256 --max-steps 544 --validate-every 68 --schedule one-cycle "
    "--validate video/validate006? --test video/validate007? --seed 0"
)
SHARDS = {10: "0", 20: "[0-1]", 40: "[0-3]", 60: "[0-5]"}  # how many: tens of their numbers


def main() -> int:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.deployable")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    data, work = options.data / "yt8m", options.work / "deployable"
    work.mkdir(parents=True, exist_ok=True)
    measured = environment("python -m benchmarks.deployable")
    found = graphs(work_of(PROOF, 0, options.work), data, work)
    write_rows("deployable", found, key=("form",), measured=measured, part="graphs")
    curve = [learned(count, data, work) for count in SHARDS]
    write_rows("deployable", curve, key=("shards",), measured=measured, part="learning_curve")
    return 0


def graphs(networks: Path, data: Path, work: Path) -> list[Row]:
    """Return the size and score of the blend, in PyTorch and as a graph of each precision."""
    runs = sorted(networks.glob(MEMBERS))
    files = [predicted(run, data, work / f"{run.parent.name}.parquet") for run in runs]
    blend, mean = work / "blend", work / "mean.parquet"
    if not mean.exists():
        names = " ".join(map(str, files))
        reeltag(f"blend {names} --method mean --save {blend} --out {mean}")
    rows: list[Row] = [{"form": "PyTorch", "networks": len(runs), **score(mean, data)}]
    for precision in ("fp32", "uint8"):
        model = work / f"{precision}.onnx"
        model.unlink(missing_ok=True)
        flags = f"--max-bytes 1GB --precision {precision} --json"
        graph = reeltag(f"export {blend} --out {model} {flags}")
        file = predicted(model, data, work / f"{precision}.parquet")
        about = {name: graph[name] for name in ("bytes", "max_difference")}
        row = {"form": f"onnxruntime, {precision}", "networks": len(runs), **about}
        row |= score(file, data)
        rows.append({**row, "target": f">= {TARGET:.3f}", "met": row["gap@20"] >= TARGET})
    return rows


def learned(count: int, data: Path, work: Path) -> Row:
    """Return what one network learns from so many shards, in as many steps."""
    run, train = work / f"shards-{count}", f"--train video/validate00{SHARDS[count]}?"
    if not (run / "metrics.json").exists():
        reeltag(f"train {LEARNER} {train} --data {data} --out {run}")
    file = predicted(run, data, run.with_suffix(".parquet"))
    return {"shards": count, "train": f"reeltag train {LEARNER} {train}", **score(file, data)}


def predicted(model: Path, data: Path, file: Path) -> Path:
    """Return the predictions of a run or graph for the test videos."""
    if not file.exists():
        reeltag(f"predict {model} --data {data} {TEST} --top-k 100 --out {file}")
    return file


def score(file: Path, data: Path) -> Row:
    """Return GAP@20 and its interval."""
    found = reeltag(f"evaluate {file} --data {data} {TEST} --json")
    return {name: found[name] for name in ("gap@20", "gap@20_interval")}


if __name__ == "__main__":
    sys.exit(main())
