"""A synthetic corpus with predictions and a run, and their page."""

import json
from pathlib import Path

import pytest

from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from tests.report.synthetic import CORPUS, write_predictions

NAMES = [
    "<script>Tick & Tock</script>",
    '<i>"Quoted"',
    "<i>$x_1$",
    *(f"<i>{letter}" for letter in "defgh"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    lines = [f'{i},"{name.replace(chr(34), chr(34) * 2)}"' for i, name in enumerate(NAMES)]
    (folder / "classes.csv").write_text("\n".join(["index,name", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def predictions(corpus: Path) -> Path:
    records = Dataset.open(corpus, jobs=1, quiet=True).select("test")
    write_predictions(corpus.parent / "p.parquet", records, segments=True)
    return corpus.parent / "p.parquet"


@pytest.fixture(scope="module")
def run_folder(corpus: Path) -> Path:
    folder = corpus.parent / "run"
    folder.mkdir()
    (folder / "metrics.csv").write_text(
        "step,seconds,train_loss,validate_gap@20,odd\n"
        "10,5.0,30.5,,x\n20,9.5,12.25,,\n20,,,0.31,\n30,12.0,nan,,\n40,,,0.42,\n"
    )
    config = {"model": {"family": "<script>"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
