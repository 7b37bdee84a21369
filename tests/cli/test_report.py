"""`reeltag report` from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.data.index import open_index
from reeltag.data.selection import select
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predictions import About, Rows, prediction_writer


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    config = SynthConfig(videos=30, classes=8, rgb=8, audio=0, min_frames=20, max_frames=30)
    write_corpus(tmp_path / "corpus", config, quiet=True)
    ids = select(open_index(tmp_path / "corpus", jobs=1, quiet=True), "test").table["id"]
    order = np.tile(np.arange(8, dtype=np.int32), (len(ids), 1))
    with prediction_writer(tmp_path / "p.parquet", About(num_classes=8)) as writer:
        writer.write(Rows.of_matrix(ids.to_pylist(), None, order, -order.astype(np.float32)))
    return tmp_path / "corpus"


def test_page_holds_the_scores_that_json_tells(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "page.html"
    arguments = ["report", str(tmp_path / "p.parquet"), "--data", str(corpus), "--out", str(page)]
    assert run([*arguments, "--split", "test", "--bootstrap", "20", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["page"] == str(page)
    text = page.read_text()
    assert f"{told['gap@20']:.3f}" in text
    low, high = told["gap@20_interval"]
    assert f"{low:.3f} to {high:.3f}" in text


def test_words_go_to_stderr_and_an_older_page_is_replaced(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    arguments = ["report", str(tmp_path / "p.parquet"), "--data", str(corpus), "--out", str(page)]
    assert run([*arguments, "--bootstrap", "0"]) == 0
    assert capsys.readouterr().out == "" and page.read_text().startswith("<!doctype html>")
