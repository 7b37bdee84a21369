"""Reels as somebody's own features: does a moment finder lose anything on the way through import?

    python -m benchmarks.own_features [VARIANT ...] [--seed 0 1 2] [--precision fp32]

The bytes of AudioSet in reels become float32 arrays, one file per video, with labels and ratings as
CSV by class names. They are imported again (each variant is a way to do so), and `reeltag solve
moments` finds moments in the result. What is done under the work folder is not done again.
"""

import argparse
import csv
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, composed, reeltag
from benchmarks.results import Row, write_rows
from reeltag.core.console import say, track
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.data.shards import read_record


@dataclass(frozen=True)
class Variant:
    """One way through import; `flags` None: the published records, without import.

    Attributes:
        flags: of `reeltag import`.
        trimmed: seconds that are cut from the beginning of each video, so that no rating begins at
            a multiple of 5 s.
    """

    flags: str | None = None
    trimmed: int = 0


VARIANTS = {
    "published records": Variant(),
    "float32": Variant("--dtype float32 --rate 1"),
    "float16": Variant("--dtype float16 --rate 1"),
    "uint8": Variant("--dtype uint8 --rate 1"),
    "uint8, 2 Hz": Variant("--dtype uint8 --rates features=1 --rate 2"),
    "uint8, 0.5 Hz": Variant("--dtype uint8 --rates features=1 --rate 0.5"),
    "uint8, ratings off the grid": Variant("--dtype uint8 --rate 1", trimmed=2),
}


def main() -> int:
    """Solve the variants that are named, and write a row of each seed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.own_features")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help="; ".join(VARIANTS))
    parser.add_argument("--seed", type=int, nargs="*", default=[0])
    parser.add_argument("--precision", default="bf16", help="fp32 on processors without bf16")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    reels = composed("reels", options.data, options.work)
    for name in options.variants or VARIANTS:
        data = _data_of(VARIANTS[name], reels, options.work / "own-features", _slug(name))
        for seed in options.seed:
            row = _solve(name, data, options.work / "own-features", seed, options.precision)
            command = f"python -m benchmarks.own_features {shlex.quote(name)} --seed {seed}"
            command += f" --precision {options.precision}"
            key = ("variant", "seed", "precision")
            write_rows("own_features", [row], key=key, measured=environment(command))
    return 0


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


def _data_of(variant: Variant, reels: Path, work: Path, slug: str) -> Path:
    """Return the data folder of a variant, imported if need be."""
    if variant.flags is None:
        return reels
    data = work / f"data-{slug}"
    if not data.exists():
        arrays = work / f"arrays-{variant.trimmed}"
        if not (arrays / "ratings.csv").exists():
            _write_arrays(Dataset.open(reels, quiet=True), arrays, variant.trimmed)
        tables = " ".join(f"--{k} {arrays}/{k}.csv" for k in ("labels", "ratings", "classes"))
        reeltag(f"import {arrays}/features --out {data} {variant.flags} {tables}")
    return data


def _write_arrays(data: Dataset, folder: Path, trimmed: int) -> None:
    """Write SPLIT/ID.npy of each video, labels.csv, ratings.csv (last) and classes.csv."""
    names, features = data.classes.names, data.features.streams[0]
    table = data.table.select(["id", "skip", "shard"]).to_pydict()
    (folder / "features").mkdir(parents=True, exist_ok=True)
    data.classes.save(folder / "classes.csv")
    labels = lists_of(data.table, "labels")
    rated = {name: lists_of(data.table, f"segment_{name}") for name in _RATED}
    with (folder / "labels.csv").open("w", newline="") as of_labels:
        writer = csv.writer(of_labels)
        writer.writerow(("id", "class"))
        for row, name in enumerate(track(table["id"], "writing arrays")):
            split = data.shards[table["shard"][row]].split("/")[0]  # reels have a folder for each
            path = folder / "features" / split / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            codes = read_record(data.index, row)[features.name][trimmed:]
            np.save(path, features.dequantise(codes))
            bounds = labels[0][row : row + 2]
            writer.writerows((name, names[c]) for c in labels[1][slice(*bounds)].tolist())
    with (folder / "ratings.csv.part").open("w", newline="") as of_ratings:
        writer = csv.writer(of_ratings)
        writer.writerow(("id", "start_s", "end_s", "class", "value"))
        bounds = rated["starts"][0]
        owner = np.repeat(np.arange(len(data)), np.diff(bounds)).tolist()
        columns = (rated[name][1].tolist() for name in _RATED)
        for row, start, end, category, value in zip(owner, *columns, strict=True):
            times = max(0, start - trimmed), end - trimmed
            writer.writerow((table["id"][row], *times, names[category], value))
    (folder / "ratings.csv.part").rename(folder / "ratings.csv")


_RATED = ("starts", "ends", "labels", "scores")


def _solve(name: str, data: Path, work: Path, seed: int, precision: str) -> Row:
    """Return the figures of a moment finder on a variant."""
    folder = work / f"solve-{_slug(name)}-{precision}-{seed}"
    command = f"solve moments --seed {seed} --precision {precision}"
    if not (folder / "moments.json").exists():
        reeltag(f"{command} --data {data} --out {folder}")
    found = json.loads((folder / "moments.json").read_text())
    copied, stage_1, finder = found["tables"][0]["lines"]
    say(f"{name}, seed {seed}: MAP {finder['ours'][0]:.4f}")
    return {
        "variant": name,
        "seed": seed,
        "precision": precision,
        "data": "reels",
        "command": f"reeltag {command}",
        "metric": "map@k",
        "value": finder["ours"][0],
        "interval": finder["intervals"][0],
        "stage_1": stage_1["ours"][0],
        "copied": copied["ours"][0],
    }


if __name__ == "__main__":
    sys.exit(main())
