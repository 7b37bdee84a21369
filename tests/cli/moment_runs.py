"""A small corpus, a run of random weights, and `reeltag moments --json` of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.models import model_config
from reeltag.tagger.tagger import Tagger
from tests.deploy.synthetic_runs import run_of

CORPUS = SynthConfig(videos=30, classes=12, rgb=16, audio=8, min_frames=3, max_frames=48)
PLAIN = ("--hop", 5, "--min-length", 0, "--merge-gap", 0)  # windows side by side


def write_data(path: Path) -> Path:
    """Write the corpus with its index, and return its folder."""
    write_corpus(path, CORPUS, quiet=True)
    Dataset.open(path, quiet=True)
    return path


def untrained_tagger() -> Tagger:
    """Return a logistic regression of 12 classes for the streams of the corpus."""
    torch.manual_seed(0)
    config = model_config("logistic", num_classes=12, dims=(16, 8))
    return Tagger(config, [("rgb", 16), ("audio", 8)], [f"class {c}" for c in range(12)])


def write_run(folder: Path) -> Path:
    """Write a run of random weights for the corpus, and return its folder."""
    tagger = untrained_tagger()
    for weight in tagger.parameters():
        torch.nn.init.normal_(weight)
    return run_of(tagger, folder)


def run_json(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return the object."""
    capfd.readouterr()
    assert run(["moments", *map(str, arguments), "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def places(found: dict[str, Any]) -> list[tuple[int, str, float, float]]:
    """Return class, video, start and end of each moment, in the order of the lists."""
    return [
        (each["class"], m["id"], m["start_s"], m["end_s"])
        for each in found["classes"]
        for m in each["moments"]
    ]
