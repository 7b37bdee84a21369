"""`reeltag report` from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.deploy.synthetic_runs import run_of, tagger_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli_report") / "corpus"
    config = SynthConfig(videos=30, classes=8, rgb=8, audio=0, min_frames=20, max_frames=30)
    write_corpus(folder, config, quiet=True)
    return folder


@pytest.fixture(scope="module")
def predictions(corpus: Path) -> Path:
    ids = Dataset.open(corpus, jobs=1, quiet=True).select("test").table["id"]
    order = np.tile(np.arange(8, dtype=np.int32), (len(ids), 1))
    path = corpus.parent / "p.parquet"
    with prediction_writer(path, PredictionInfo(num_classes=8, data="DATA")) as writer:
        writer.write(
            PredictionRows.of_matrix(ids.to_pylist(), None, order, -order.astype(np.float32))
        )
    return path


@pytest.fixture
def work(tmp_path: Path, predictions: Path) -> Path:
    """Return the WORK of a solution whose step `score-A` wrote predictions."""
    folder = tmp_path / "work"
    (folder / "score-A-0123").mkdir(parents=True)
    (folder / "score-A-0123" / "predictions.parquet").symlink_to(predictions)
    (folder / "paper2019.json").write_text(
        json.dumps(
            {
                "program": "paper2019",
                "config": {},
                "steps": [{"name": "score-A", "folder": "gone/score-A-0123"}],
                "tables": [
                    {
                        "title": "Table 1",
                        "paper": ["MAP"],
                        "ours": ["MAP"],
                        "lines": [{"name": "A", "paper": [0.8], "ours": [0.123]}],
                    }
                ],
            }
        )
    )
    return folder


def arguments(*given: Path | str) -> list[str]:
    return ["report", *map(str, given), "--bootstrap", "0"]


def test_page_holds_the_scores_of_json(
    corpus: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "page.html"
    given = ["report", str(predictions), "--data", str(corpus), "--out", str(page)]
    assert run([*given, "--split", "test", "--bootstrap", "20", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["page"] == str(page) and printed["predictions"] == str(predictions)
    assert any("holds no segments" in sentence for sentence in printed["left_out"])
    text = page.read_text()
    assert f"{printed['gap@20']:.3f}" in text
    low, high = printed["gap@20_interval"]
    assert f"{low:.3f} to {high:.3f}" in text


def test_report_logs_to_stderr_and_replaces_a_page(
    corpus: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    assert run(arguments(predictions, "--data", corpus, "--out", page)) == 0
    assert capsys.readouterr().out == "" and page.read_text().startswith("<!doctype html>")


def test_report_of_work_shows_tables_and_last_predictions(
    corpus: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    for what in (work, work / "paper2019.json"):
        assert run([*arguments(what, "--data", corpus, "--out", page), "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed["solution"] == "paper2019" and printed["gap@20"] > 0
        assert printed["predictions"] == str(work / "score-A-0123" / "predictions.parquet")
        text = page.read_text()
        assert "0.123" in text and "score-A-0123/predictions.parquet" in text
    assert run([*arguments(work, "--out", page), "--json"]) == 0  # without data, the tables alone
    printed = json.loads(capsys.readouterr().out)
    assert (
        printed["predictions"] is None and "gap@20" not in printed and "0.123" in page.read_text()
    )


def test_report_of_run_shows_training_and_takes_predictions(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "run" / "metrics.csv").write_text("step,train_loss\n1,3\n2,2\n")
    page = tmp_path / "page.html"
    assert run(arguments(tmp_path / "run", "--out", page)) == 0
    assert "Training loss" in page.read_text() and "GAP@20" not in page.read_text()
    given = arguments(tmp_path / "run", "--predictions", predictions, "--data", corpus)
    assert run([*given, "--out", str(page)]) == 0
    assert "Training loss" in page.read_text() and "GAP@20" in page.read_text()


def test_report_shows_found_moments_next_to_known_events(
    corpus: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = Dataset.open(corpus, jobs=1, quiet=True).select("test").table["id"][0].as_py()
    moments, page = tmp_path / "m.csv", tmp_path / "page.html"
    moments.write_text(f"class,name,id,start_s,end_s,prob\n0,x,{video},0,20,0.9\n")
    given = arguments(predictions, "--data", corpus, "--out", page, "--moments", moments)
    assert run([*given, "--events", str(corpus / "truth.csv"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert 0 <= printed["map@tiou=0.7"] <= printed["map@tiou=0.3"] <= 1
    text = page.read_text()
    assert "Found moments" in text and "1 moments in" in text and "known events" in text
    assert run(given) == 0  # without events
    text = page.read_text()
    assert "Found moments" in text and "known events" not in text and "mAP at tIoU" not in text


def test_report_errors_name_the_remedy(
    corpus: Path, predictions: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    data = ("--data", corpus)
    (tmp_path / "empty").mkdir()
    cases: list[tuple[tuple[Path | str, ...], str]] = [
        ((tmp_path / "none.parquet", *data), "is not there"),
        ((tmp_path / "empty", *data), "is neither a run folder nor a WORK"),
        ((predictions,), "was made with --data DATA"),
        ((predictions, predictions, *data), "takes one thing, got 2"),
        ((predictions, *data, "--stage", "A"), "--stage: applies to a WORK"),
        ((predictions, *data, "--events", "e.csv"), "--events: has no effect without moments"),
        ((work, "--moments", "m.csv"), "--moments: needs the data that were searched"),
        ((predictions, *data, "--moments", "m.txt"), "m.txt: must end in .csv or .parquet"),
        ((predictions, *data, "--run", tmp_path / "none"), "is not there, or no folder"),
        ((predictions, *data, "--examples", "-1"), "--examples: must be at least 0"),
        ((predictions, *data, "--videos", "x"), "--videos: has no effect without rated segments"),
        ((work, *data, "--stage", "B"), "no step 'B' with predictions; with predictions: score-A"),
        ((work, "--stage", "A"), "give the data"),
    ]
    for given, words in cases:
        assert run(arguments(*given, "--out", page)) == 2, words
        assert words in capsys.readouterr().err.replace("\n", " "), words
    assert not page.exists()


def test_report_checks_the_output_before_scoring(
    corpus: Path, predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["report", str(predictions), "--data", str(corpus), "--out", str(tmp_path)]
    assert run(command) == 2
    errors = capfd.readouterr().err
    assert "Name a file, as in --out page.html." in errors and "prediction: left out" not in errors


def test_report_logs_predictions_of_other_weights_than_the_run_has(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"class {c}" for c in range(8)]
    tagger = tagger_of("logistic", streams=(("rgb", 8),), names=names)
    folder = run_of(tagger, tmp_path / "run")
    data = Dataset.open(corpus, jobs=1, quiet=True)
    predict(tagger, data, tmp_path / "p.parquet", InferenceConfig(device="cpu"), run=folder)
    command = ["report", str(tmp_path / "p.parquet"), "--data", str(corpus), "--run", str(folder)]
    assert run([*command, "--out", str(tmp_path / "same.html")]) == 0
    assert "other weights" not in capfd.readouterr().err
    tagger_of("logistic", seed=1, streams=(("rgb", 8),), names=names).save_weights(folder)
    assert run([*command, "--out", str(tmp_path / "other.html")]) == 0
    assert "was predicted with other weights than those that" in capfd.readouterr().err
