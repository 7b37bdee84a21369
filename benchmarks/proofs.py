"""A quality figure on real data: the commands that a person would type, run one after the other.

Finished runs in the work folder are not run again: an interrupted proof resumes.
"""

import contextlib
import io
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.results import PROJECT, Row
from reeltag.cli.main import run
from reeltag.core.console import say
from reeltag.data.splits import Splits

DATA = PROJECT.parent / "shared" / "data"
WORK = PROJECT / "build" / "real"
YT8M_SPLITS = Splits(
    train="video/validate00[0-5]?", validate="video/validate006?", test="video/validate007?"
)
YT8M_100_SPLITS = replace(YT8M_SPLITS, train="video*/validate0[01][0-589]?")  # 0080-0119 too
YT8M, YT8M_100 = (
    f"--train {of.train} --validate {of.validate} --test {of.test}"
    for of in (YT8M_SPLITS, YT8M_100_SPLITS)
)
AUDIOSET = "--train bal_train-0[0-6]* --validate bal_train-07* --test eval*"
COMPOSED = {  # the protocols of ../shared/DESIGN.md; the cuts are artificial
    "reels": {
        "train": "reels {clips}/bal_train-* --videos 4000 --seed 1",
        "validate": "reels {clips}/eval-* --strong {strong} --part 0/5,1/5,2/5 --videos 800 "
        "--seed 2",
        "test": "reels {clips}/eval-* --strong {strong} --part 3/5,4/5 --videos 800 --seed 3",
    },
    "mosaics": {
        "train": "mosaics {videos}/validate00[0-5]?.tfrecord --videos 2000 --seed 4",
        "validate": "mosaics {videos}/validate006?.tfrecord --rated --videos 600 --seed 5",
        "test": "mosaics {videos}/validate007?.tfrecord --rated --videos 600 --seed 6",
    },
}
COMPOSED |= {  # themes of very different frequency to learn from; the ratings are as before
    f"{kind}_uneven": parts | {"train": f"{parts['train']} --theme-power 2"}
    for kind, parts in COMPOSED.items()
}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One figure: what is trained on what, how it is predicted, and the target."""

    data: str
    train: str
    predict: str
    metric: str
    target: float | None = None
    splits: str = ""
    centroids: int = 0  # to fit on the training frames, for the model to start from


def prove(proof: Proof, name: str, data: Path, work: Path, seed: int) -> Row:
    """Train, predict and evaluate; return the figure with everything that it came from.

    Args:
        proof: what to do.
        name: of the run, below `work`.
        data: folder with the real data.
        work: folder for composed data and runs.
        seed: of the training.
    """
    root = composed(proof.data, data, work) if proof.data in COMPOSED else data / proof.data
    folder = work / f"{name}-seed{seed}"
    predictions = folder.with_suffix(".parquet")
    began = time.monotonic()
    train = proof.train
    if proof.centroids:
        file = work / f"{name}-centroids.safetensors"
        if not file.exists():
            fit = f"--clusters {proof.centroids} --out {file}"
            reeltag(f"centroids {root} {proof.splits} {fit}")
        train += f" --init {file}"
    if not (folder / "metrics.json").exists():
        begun = (folder / "resume.ckpt").exists()
        reeltag(
            f"train --resume {folder}"
            if begun
            else f"train {train} --data {root} {proof.splits} --seed {seed} --out {folder}"
        )
    if not predictions.exists():
        reeltag(f"predict {folder} --data {root} --split test {proof.predict} --out {predictions}")
    found = reeltag(f"evaluate {predictions} --data {root} --split test {proof.splits} --json")
    value, target = found[proof.metric], proof.target
    return {
        "data": proof.data,
        "train": f"reeltag train {train} {proof.splits} --seed {seed}",
        "predict": f"reeltag predict RUN --split test {proof.predict}",
        "seed": seed,
        "metric": proof.metric,
        "value": value,
        "interval": found[f"{proof.metric}_interval"],
        **({} if target is None else {"target": target, "met": value >= target}),
        "training": json.loads((folder / "metrics.json").read_text()),
        "seconds_here": round(time.monotonic() - began, 1),
        "evaluation": found,
    }


def composed(kind: str, data: Path, work: Path) -> Path:
    """Return the folder of reels or mosaics, built by ../shared/tools/compose.py if need be."""
    root = work / kind
    if root.exists():
        return root
    places = {
        "clips": data / "audioset",
        "strong": data / "audioset" / "eval_strong.csv",
        "videos": data / "yt8m" / "video",
    }
    for split, arguments in COMPOSED[kind].items():
        style, *words = arguments.format(**places).split()
        command = [sys.executable, str(data.parent / "tools" / "compose.py"), style, "--clips"]
        command += [*words, "--out", str(root / split)]
        subprocess.run(command, check=True)
    return root


def reeltag(arguments: str) -> dict[str, Any]:
    """Run a command line in this process; return the JSON that it prints, if any."""
    say(f"$ reeltag {arguments}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = run(arguments.split())
    if status:
        raise RuntimeError(f"exit status {status} of: reeltag {arguments}")
    last = printed.getvalue().strip().splitlines()[-1:]
    result: dict[str, Any] = json.loads(last[0]) if last and last[0].startswith("{") else {}
    return result
