"""What rounding costs: scores on real data of torch in bfloat16, and of graphs in lower precision.

Each model is trained for some minutes by the command that `PROOFS` shows, then scored on the test
part as it is (torch, float32) and in each other form. A part of `python -m benchmarks inference`.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.proofs import DATA, YT8M, reeltag
from benchmarks.results import Row
from reeltag.core.probability import sigmoid
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import PredictionRows

FORMS = {  # of a graph -> options of its export
    "onnxruntime fp32": "",
    "fp16 weights": "--precision fp16",
    "uint8 weights": "--precision uint8",
    "int8 products": "--arithmetic int8 --tolerance 1",
}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A model on real data: how it is trained, and by what it is scored."""

    data: str
    splits: str
    train: str
    metric: str


_AUDIOSET = "--train bal_train-0[0-6]* --validate bal_train-07* --test eval-00*"  # 2,600 clips
_CLIPS = "--schedule one-cycle --metric map --batch-size 128 --frames.how all --frames.num-frames 0"
PROOFS = {
    "early_concat_fcn_norm": Proof(
        data="yt8m",
        splits=YT8M,
        train="early_concat_fcn_norm --preprocessing.normalise streams --learning-rate 0.002 "
        "--batch-size 256 --epochs 2 --schedule one-cycle --precision bf16",
        metric="gap@20",
    ),
    "nextvlad": Proof(
        data="audioset",
        splits=_AUDIOSET,
        train="nextvlad --learning-rate 0.002 --epochs 1 --precision bf16 "
        f"--model.num-clusters 64 --model.hidden 1024 {_CLIPS}",
        metric="map",
    ),
    "dbof": Proof(
        data="audioset",
        splits=_AUDIOSET,
        train=f"dbof_k2048_h512 --learning-rate 0.001 --epochs 1 --precision bf16 {_CLIPS}",
        metric="map",
    ),
    "frame_logistic": Proof(
        data="audioset",
        splits=_AUDIOSET,
        train=f"frame_logistic --learning-rate 0.03 --epochs 3 --precision bf16 {_CLIPS}",
        metric="map",
    ),
}


def losses(quick: bool, data: Path = DATA) -> list[Row]:
    """Return the score of each form, its change, and the largest change of a probability."""
    if not data.is_dir():
        return []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, proof in list(PROOFS.items())[: 1 if quick else None]:
            rows += [*_losses(name, proof, data / proof.data, Path(folder, name), quick)]
    return rows


def _losses(name: str, proof: Proof, data: Path, work: Path, quick: bool) -> Iterator[Row]:
    """Yield the rows of one model."""
    work.mkdir()
    run, most = work / "run", "--epochs 1 --max-steps 4" if quick else ""
    reeltag(f"train {proof.train} {most} --data {data} {proof.splits} --seed 0 --out {run}")
    of_torch = _predicted(run, data, work / "torch.parquet", proof)
    score = _score(of_torch, data, proof)
    shown = f"{name} on {proof.data}"
    train = f"reeltag train {proof.train} {proof.splits} --seed 0"
    yield figure(f"{shown}, torch fp32", score, proof.metric, details={"train": train})
    forms = {"torch bf16": (run, "--precision bf16")}
    for form, options in list(FORMS.items())[-1 if quick else 0 :]:
        graph = work / f"{form.replace(' ', '-')}.onnx"
        reeltag(f"export {run} --out {graph} {options} --json")
        forms[form] = graph, ""
    for form, (model, options) in forms.items():
        file = _predicted(model, data, work / f"{form.replace(' ', '-')}.parquet", proof, options)
        change = _score(file, data, proof) - score
        far = _largest(of_torch, file)
        yield figure(f"{shown}, {form}: change of {proof.metric}", change, proof.metric)
        yield figure(f"{shown}, {form}: largest change of a probability", far, "probability")


def _predicted(model: Path, data: Path, file: Path, proof: Proof, options: str = "") -> Path:
    """Return the predictions of a run or graph for the test part, every class of a video."""
    test = proof.splits[proof.splits.index("--test") :]
    flags = f"--split test {test} --top-k 100000 --max-frames 0 {options}"
    reeltag(f"predict {model} --data {data} {flags} --out {file}")
    return file


def _score(file: Path, data: Path, proof: Proof) -> float:
    found = reeltag(
        f"evaluate {file} --data {data} --split test {proof.splits} --bootstrap 0 --json"
    )
    return float(found[proof.metric])


def _largest(one: Path, other: Path) -> float:
    """Return the largest difference of a probability between two files of the same videos."""
    classes = open_predictions(one).info.num_classes
    pairs = zip(_rows(one), _rows(other), strict=True)
    return max(
        float(np.abs(sigmoid(a.to_dense(classes, 0.0)) - sigmoid(b.to_dense(classes, 0.0))).max())
        for a, b in pairs
    )


def _rows(file: Path) -> Iterator[PredictionRows]:
    return iter(open_predictions(file).rows("videos"))
