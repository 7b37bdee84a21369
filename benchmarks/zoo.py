"""Every family on real data with the same budget: results/zoo.json, docs/results/models.md.

    python -m benchmarks.zoo [ENTRY ...] [--race yt8m|audioset|mosaics] [--seed 0]

A race is a data set with a budget; an entry is a model, its sizes here and its learning rate, in
the races that it can run. What is measured is not measured again (--again does). Sizes are
small where the authors' would take hours on two cores: docs/results/models.md has the sizes.
"""

import argparse
import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import AUDIOSET, DATA, WORK, YT8M, Proof, prove
from benchmarks.results import Row, read_rows, write_rows
from benchmarks.zoo_entries import ENTRIES
from reeltag.core.console import say
from reeltag.tagger.tagger import Tagger


@dataclass(frozen=True, kw_only=True)
class Race:
    """A data set, its split, and what every entry may spend on it."""

    data: str
    budget: str
    predict: str
    metric: str
    splits: str = ""


KEY = ("entry", "race", "seed")
RACES = {
    "yt8m": Race(
        data="yt8m",
        splits=YT8M,
        budget="--epochs 6 --batch-size 256 --schedule one-cycle --precision bf16",
        predict="--top-k 100",
        metric="gap@20",
    ),
    "audioset": Race(
        data="audioset",
        splits=AUDIOSET,
        budget="--epochs 3 --batch-size 128 --schedule one-cycle --precision bf16 --metric map "
        "--validate-every 226 --frames.how all --frames.num-frames 0",
        predict="--top-k 527",
        metric="map",
    ),
    "mosaics": Race(
        data="mosaics",
        budget="--epochs 4 --batch-size 64 --schedule one-cycle --precision bf16 "
        "--validate-every 62 --frames.how random --frames.num-frames 20 "
        "--validation-frames.how random --validation-frames.num-frames 20",
        predict="--top-k 100",
        metric="gap@20",
    ),
}


def main() -> int:
    """Run the entries in the races that are named; each becomes a row of results/zoo.json."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.zoo")
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help=", ".join(ENTRIES))
    parser.add_argument("--race", choices=RACES)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    options = parser.parse_args()
    unknown = set(options.entries) - set(ENTRIES)
    if unknown:
        parser.error(f"there is no entry {', '.join(sorted(unknown))}")
    for name in options.entries or ENTRIES:
        for race in ENTRIES[name].races:
            if options.race not in (None, race):
                continue
            if options.again or not _is_measured(name, race, options.seed):
                row = _run(name, race, options.data, options.work, options.seed)
                command = f"python -m benchmarks.zoo {name} --race {race} --seed {options.seed}"
                write_rows("zoo", [row], key=KEY, measured=environment(command))
    return 0


def _is_measured(*named: str | int) -> bool:
    return any(tuple(row[field] for field in KEY) == named for row in read_rows("zoo"))


def _run(name: str, race: str, data: Path, work: Path, seed: int) -> Row:
    entry, course = ENTRIES[name], RACES[race]
    proof = Proof(
        data=course.data,
        splits=course.splits,
        train=f"{entry.model} {entry.races[race]} {course.budget}",
        predict=course.predict,
        metric=course.metric,
        centroids=entry.centroids,
    )
    flags = hashlib.sha256(f"{proof}".encode()).hexdigest()[:8]  # other flags, another run
    label = f"zoo-{race}-{name}-{flags}"
    found = prove(proof, label, data, work, seed)
    run = work / f"{label}-seed{seed}"
    parameters = sum(p.numel() for p in Tagger.load(run).parameters())
    shutil.rmtree(run)  # weights and checkpoint; the predictions stay
    say(f"{name} in {race}, seed {seed}: {found['metric']} {found['value']:.4f}")
    return {
        "entry": name,
        "family": entry.model.split()[0],
        "race": race,
        "parameters": parameters,
        **found,
    }


if __name__ == "__main__":
    sys.exit(main())
