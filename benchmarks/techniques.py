"""Each technique on and off on real data, same budget, several seeds.

The tables are in docs/results/techniques.md.

    python -m benchmarks.techniques [RACE ...] [--seed 0 1 2]    train what is missing
    python -m benchmarks.techniques [RACE ...] --table    compare: results/techniques.json

A race is a data set with a budget; a run is one way of training in it, given by the commands that a
person would type (benchmarks/technique_runs.py). Runs that start from another run find it trained.
Finished runs in the work folder are not run again: an interrupted comparison resumes.
"""

import argparse
import dataclasses
import json
import sys
from functools import cache
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, composed, reeltag
from benchmarks.results import Row, write_rows
from benchmarks.technique_comparisons import COMPARISONS, Comparison
from benchmarks.technique_runs import RACES, RUNS, Race, Run
from reeltag.core.console import say
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.evaluation.comparison import differences
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import Scored, score_file

KEYS = {"runs": ("race", "run"), "comparisons": ("race", "technique")}
NAMES = {
    f"{kind}{of}": file
    for kind, file in {
        "reels": "audioset/class_labels_indices.csv",
        "mosaics": "yt8m/vocabulary.csv",
    }.items()
    for of in ("", "_uneven")
}


def main() -> int:
    """Train the runs of the races that are named, or compare what is there."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.techniques")
    parser.add_argument("races", nargs="*", metavar="RACE", help=", ".join(RACES))
    parser.add_argument("--only", nargs="*", default=[], metavar="RUN")
    parser.add_argument("--seed", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--table", action="store_true", help="compare, and write the results")
    options = parser.parse_args()
    work = options.work / "techniques"
    work.mkdir(parents=True, exist_ok=True)
    if options.table:
        for race in options.races or RACES:
            measured = environment(f"python -m benchmarks.techniques {race}")
            for part, rows in table(race, options.data, work).items():
                write_rows("techniques", rows, key=KEYS[part], measured=measured, part=part)
        return 0
    for seed in options.seed:
        for race in options.races or RACES:
            for name, run in RUNS[race].items():
                if not options.only or name in options.only:
                    done(race, name, run, seed, options.data, work)
    return 0


def done(race: str, name: str, run: Run, seed: int, data: Path, work: Path) -> Path:
    """Return the predictions of a run, which is trained first if it is not there."""
    course, seed = RACES[race], 0 if run.shared else seed
    folder = work / f"{race}-{name}-seed{seed}"
    predictions = folder.parent / f"{folder.name}.parquet"
    if predictions.exists():
        return predictions
    root = place(course.data, data, work)
    words = {"root": root, "data": data, "work": work, "seed": seed}
    for other in (run.start, *run.needs):
        if other:
            trained = done(race, other, RUNS[race][other], seed, data, work)
            words[other.replace("-", "_").replace(".", "_")] = trained.parent / trained.stem
    if run.start:
        words["start"] = work / f"{race}-{run.start}-seed{seed}"
    for file, command in run.prepare.items():
        prepared = work / f"{race}-{file.format(**words)}"
        words[Path(file).stem.split("{")[0].rstrip("-").replace("-", "_")] = prepared
        if not prepared.exists():
            line = command if "{file}" in command else f"{command} --out {{file}}"
            reeltag(line.format(**words, file=prepared))
    root = Path(str(run.data or "{root}").format(**words))
    if not (folder / "metrics.json").exists():
        begun = (folder / "config.json").exists()
        flags = f"{run.model or course.model} {course.budget} {run.flags}".format(**words)
        start = f"--init {words['start']}" if run.start else ""
        reeltag(
            f"train --resume {folder}"
            if begun
            else f"train {flags} {start} --data {root} --seed {seed} --out {folder}"
        )
    root = place(course.data, data, work)
    predict = f"--split test {course.predict} {run.predict}"
    reeltag(f"predict {folder} --data {root} {predict} --out {predictions}")
    (folder / "resume.ckpt").unlink(missing_ok=True)  # the weights stay
    return predictions


def place(kind: str, data: Path, work: Path) -> Path:
    """Return the data folder of a name; composed data get the names of their classes."""
    if kind not in NAMES:
        return data / kind
    named = work / kind
    if not named.exists():
        source = composed(kind, data, work.parent)
        named.mkdir()
        for part in source.iterdir():
            (named / part.name).symlink_to(part)
        names = data / NAMES[kind]
        (named / names.name).symlink_to(names)
    return named


def table(race: str, data: Path, work: Path) -> dict[str, list[Row]]:
    """Return every run of a race that is there, and every comparison of two of them."""
    runs, compared = [], []
    for name, run in RUNS[race].items():
        seeds = [s for s in range(10) if (work / f"{race}-{name}-seed{s}.parquet").exists()]
        if seeds:
            runs.append(about(race, name, run, seeds, work))
    for each in COMPARISONS[race]:
        found = difference(race, RACES[race], each, data, work)
        if found:
            compared.append(found)
            values = "{against_value:.4f} -> {value:.4f} ({difference:+.4f}, {interval})"
            say(f"{race}: {each.technique}: {values.format(**found)}")
    return {"runs": runs, "comparisons": compared}


def about(race: str, name: str, run: Run, seeds: list[int], work: Path) -> Row:
    """Return what a run was: its flags, and the seconds that its trainings took."""
    folders = [work / f"{race}-{name}-seed{seed}" for seed in seeds]
    trainings = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    return {
        "race": race,
        "run": name,
        "flags": f"{run.model or RACES[race].model} {RACES[race].budget} {run.flags}",
        "start": run.start,
        "prepare": run.prepare,
        "seeds": seeds,
        "steps": trainings[0]["steps"],
        "seconds": [round(training["seconds"], 1) for training in trainings],
    }


def difference(race: str, course: Race, each: Comparison, data: Path, work: Path) -> Row | None:
    """Return the difference of two runs over the seeds that both have; None where there is none."""
    files = [
        (ours, theirs)
        for seed in range(10)
        if (ours := work / f"{race}-{each.run}-seed{seed}.parquet").exists()
        and (theirs := work / f"{race}-{each.against}-seed{seed}.parquet").exists()
    ]
    if not files:
        return None
    root = place(course.data, data, work)
    sides = [
        [(file, _scored(file, root, course.splits)) for file in side]
        for side in zip(*files, strict=True)
    ]
    found = differences(*sides)[course.metric]
    return {
        "race": race,
        **dataclasses.asdict(each),
        "metric": course.metric,
        "seeds": len(files),
        "value": found.value,
        "seed_sd": found.seed_sd,
        "against_value": found.against,
        "against_seed_sd": found.against_seed_sd,
        "difference": found.difference,
        "interval": found.interval,
    }


@cache
def _scored(file: Path, data: Path, splits: Splits) -> Scored:
    """Return the scores of a file that several comparisons need."""
    config = EvaluationConfig(split="test", bootstrap=400)
    return score_file(file, Dataset.open(data, splits=splits, quiet=True), config, quiet=True)


if __name__ == "__main__":
    sys.exit(main())
