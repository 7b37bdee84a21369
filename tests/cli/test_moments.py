"""`reeltag moments`: from the run or a prediction file to table, JSON, CSV and tracks."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.cli.main import run
from reeltag.core.files import write_json
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.models import model_config
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import Tagger
from tests.data.made import frame_record, write_shard
from tests.inference.test_stream import pairs
from tests.windows import segments_at

CORPUS = SynthConfig(videos=30, classes=12, rgb=16, audio=8, min_frames=3, max_frames=48)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    Dataset.open(path, quiet=True)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "RUN"
    folder.mkdir()
    torch.manual_seed(0)
    config = model_config("logistic", num_classes=12, dims=(16, 8))
    names = [f"class {c}" for c in range(12)]
    streams = [("rgb", 16), ("audio", 8)]
    tagger = Tagger(config, streams, names)
    for weight in tagger.parameters():
        torch.nn.init.normal_(weight)
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    write_json(folder / "config.json", tagger.describe())
    return folder


@pytest.fixture(scope="module")
def predictions(data: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("p") / "p.parquet"
    command = ["predict", checkpoint, "--data", data, "--out", out, "--segments", "--json"]
    assert run([*map(str, command), "--top-k", "12", "--split", "validate"]) == 0
    return out


def run_json(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return the object."""
    capfd.readouterr()
    assert run(["moments", *map(str, arguments), "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def test_moments_list_the_best_segments_of_each_class(
    data: Path, checkpoint: Path, predictions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = run_json(
        capfd, checkpoint, "--data", data, "--split", "validate", "--class", "guitar",
        "--class", 3, "--top", 4,
    )  # fmt: skip
    everything = pairs(predictions, "segments")
    assert found["segments"] == len(everything) // 12
    assert [each["name"] for each in found["classes"]] == ["Guitar", "Sport"]
    for each in found["classes"]:
        mine = {key: score for key, score in everything.items() if key[2] == each["class"]}
        best = sorted(mine, key=lambda key: -mine[key])[:4]
        assert [(m["id"], m["start_s"]) for m in each["moments"]] == [key[:2] for key in best]
        probs = [float(sigmoid(torch.tensor([mine[key]]).numpy())[0]) for key in best]
        assert [m["prob"] for m in each["moments"]] == pytest.approx(probs, abs=1e-6)


def test_moments_search_all_data_without_a_test_split(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("vocabulary.csv", "train0000.tfrecord"):
        shutil.copy(data / name, tmp_path)
    common = (checkpoint, "--data", tmp_path, "--class", "3")
    found = run_json(capfd, *common)
    assert found["split"] == "all" and found == run_json(capfd, *common, "--split", "all")
    assert run_json(capfd, checkpoint, "--data", data, "--class", "3")["split"] == "test"
    assert run(["moments", *map(str, common), "--test", "nothing*"]) == 2  # named, and not there


def test_moments_of_a_prediction_file_are_the_same(
    data: Path, checkpoint: Path, predictions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = ("--class", "Guitar", "--class", "Car", "--top", 7)
    ours = run_json(capfd, checkpoint, "--data", data, "--split", "validate", *common)
    for more in ((), ("--data", data)):
        theirs = run_json(capfd, "--predictions", predictions, *common, *more)
        for mine, its in zip(ours["classes"], theirs["classes"], strict=True):
            assert [m["id"] for m in its["moments"]] == [m["id"] for m in mine["moments"]]
            assert [m["rated"] for m in its["moments"]] == [m["rated"] for m in mine["moments"]]
            probs = [m["prob"] for m in mine["moments"]]
            assert [m["prob"] for m in its["moments"]] == pytest.approx(probs, abs=1e-6)


def test_moments_show_the_ratings_of_the_data(
    data: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rated: dict[tuple[str, int, int], bool] = {}
    for row in Dataset.open(data, quiet=True).table.to_pylist():
        triples = zip(
            row["segment_starts"], row["segment_labels"], row["segment_scores"], strict=True
        )
        rated |= {(row["id"], start, c): score > 0 for start, c, score in triples}
    classes = [word for c in range(12) for word in ("--class", c)]
    found = run_json(
        capfd, checkpoint, "--data", data, "--split", "all", *classes, "--rated", "--top", 9999
    )
    listed = {
        (m["id"], m["start_s"], each["class"]): m["rated"]
        for each in found["classes"]
        for m in each["moments"]
    }
    assert listed == rated and len(set(rated.values())) == 2
    some = run_json(capfd, checkpoint, "--data", data, *classes, "--top", 9999)["classes"]
    verdicts = {m["rated"] for each in some for m in each["moments"]}
    assert verdicts == {True, False, None}


def test_moments_follow_the_policy(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = ("--data", data, "--split", "all", "--class", "Guitar", "--top", 9999)
    plain = run_json(capfd, checkpoint, *common)
    for policy in (
        ("--skip-head", 1, "--skip-tail", 1),
        ("--candidates", 2),
        ("--shifts", -2, -1, 0, 1, 2, "--shift-mean", "probs"),
        ("--window-before", 3, "--window-after", 2),
        ("--video-power", 0.05, "--segment-power", 0.95),
    ):
        assert run_json(capfd, checkpoint, *common, *policy)["classes"] != plain["classes"]
    videos = tmp_path / "v"
    command = ["predict", checkpoint, "--data", data, "--out", videos, "--split", "all", "--json"]
    assert run([*map(str, command), "--top-k", "12"]) == 0
    fused = ("--candidates", 2, "--video-power", 0.2, "--segment-power", 0.8)
    itself = run_json(capfd, checkpoint, *common, *fused)["classes"][0]["moments"]
    for source in (("--video-run", checkpoint), ("--video-predictions", videos)):
        found = run_json(capfd, checkpoint, *common, *fused, *source)["classes"][0]["moments"]
        assert [(m["id"], m["start_s"]) for m in found] == [(m["id"], m["start_s"]) for m in itself]


def test_moments_print_a_table_and_write_files(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table, tracks = tmp_path / "m.csv", tmp_path / "tracks"
    command = ["moments", checkpoint, "--data", data, "--class", "Guitar", "--top", 6]
    command += ["--csv", table, "--vtt", tracks]
    assert run([*map(str, command)]) == 0
    output = capfd.readouterr().out
    assert "Guitar (class 5): best 6 of" in output
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 6 and all(row["id"] in output for row in rows)
    assert list(rows[0]) == ["class", "name", "id", "start_s", "end_s", "prob", "rated"]
    assert {row["rated"] for row in rows} <= {"", "0", "1"}
    assert {path.stem for path in tracks.iterdir()} == {row["id"] for row in rows}
    for row in rows:
        assert "Guitar" in (tracks / f"{row['id']}.vtt").read_text()
    assert run([*map(str, command)]) == 2
    assert "m.csv: exists already" in capfd.readouterr().err
    table.unlink()
    assert run([*map(str, command)]) == 2
    assert "tracks: holds files already" in capfd.readouterr().err
    assert run([*map(str, command), "--overwrite", "--min-prob", "1"]) == 0
    assert "Guitar (class 5): no segment" in capfd.readouterr().out
    rated = ["--split", "all", "--rated", "--class", "Sport"]
    assert run([*map(str, command[:6]), *rated]) == 0
    verdicts = {line.split()[-1] for line in capfd.readouterr().out.splitlines() if "-0" in line}
    assert verdicts == {"yes", "no"}


def test_moments_print_ids_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [f"archive/{'a long title ' * 12}/part {n}.mp4" for n in range(2)]
    write_shard(tmp_path / "a.tfrecord", [frame_record(name) for name in names])
    path = tmp_path / "p.parquet"
    with prediction_writer(path, PredictionInfo(num_classes=3, data=str(tmp_path))) as writer:
        scores = np.ones((2, 1), np.float32)
        times, classes = segments_at([0, 0]), np.zeros((2, 1), np.int32)
        writer.write(PredictionRows.of_matrix(names, times, classes, scores))
    assert run(["moments", "--predictions", str(path), "--class", "0"]) == 0
    lines = capfd.readouterr().out.splitlines()
    for name in names:
        assert any(line.startswith(name) and line.endswith("0.7311") for line in lines)


def test_moments_raise_for_existing_files(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.csv").touch()
    command = ["moments", str(checkpoint), "--data", str(data), "--class", "3", "--csv"]
    assert run([*command, str(tmp_path / "m.csv")]) == 2
    assert "Choose another --csv, or add --overwrite." in capfd.readouterr().err
    assert run([*command, str(tmp_path)]) == 2
    assert "Name a file, as in --csv m.csv." in capfd.readouterr().err


def test_moments_log_empty_tracks(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["moments", checkpoint, "--data", data, "--class", 3, "--min-prob", 1]
    assert run([*map(str, command), "--vtt", str(tmp_path / "tracks")]) == 0
    assert "tracks: no moment, no track" in capfd.readouterr().err


def test_moments_name_the_runs_in_a_work_folder(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    last = tmp_path / "WORK" / "train-final-0" / "run"
    shutil.copytree(checkpoint, last)
    command = ["moments", str(tmp_path / "WORK"), "--data", str(data), "--class", "3"]
    assert run(command) == 2
    error = capfd.readouterr().err
    assert (
        "is the WORK of `reeltag solve`" in error and f"the last that was made is {last}." in error
    )


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--class", "Gitar"], "Did you mean Guitar?"),
        (["--class", "12"], "--class: must be in 0 to"),
        ([], "name a class, as in --class Guitar"),
        (["--class", "3", "--top", "0"], "--top: must be at least 1, got 0"),
        (["--class", "3", "--min-prob", "1.5"], "--min-prob: must be in [0, 1]"),
        (["--class", "3", "--split", "train", "--rated"], "has rated segments"),
        (["--class", "3", "--skip-head", "99"], "Score the whole of short videos"),
        (["--class", "3", "--predictions", "p"], "give either a RUN, or a file"),
        (["--class", "3", "--video-run", "absent"], "is not a run folder"),
    ],
)
def test_moments_wrong_options_have_status_2(
    data: Path,
    checkpoint: Path,
    arguments: list[str],
    rule: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["moments", str(checkpoint), "--data", str(data), *arguments]) == 2
    captured = capfd.readouterr()
    assert rule in captured.err and not captured.out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--skip-head", "6"], "how segments are scored was set"),
        (["--split", "test"], "--split was set when the predictions were written"),
        (["--data", "absent"], "which is not there"),
    ],
)
def test_moments_raise_for_options_set_by_the_predictions(
    predictions: Path, arguments: list[str], rule: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["moments", "--predictions", str(predictions), "--class", "3", *arguments]) == 2
    assert rule in capfd.readouterr().err


def test_moments_raise_without_segments_or_frames(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", checkpoint, "--data", data, "--out", tmp_path / "p", "--json"]
    assert run([*map(str, command)]) == 0
    assert not open_predictions(tmp_path / "p").holds("segments")
    assert run(["moments", "--predictions", str(tmp_path / "p"), "--class", "3"]) == 2
    assert "holds no predictions of segments" in capfd.readouterr().err
    config = dataclasses.replace(CORPUS, level="video", videos=6)
    write_corpus(tmp_path / "flat", config, quiet=True)
    flat = ["moments", str(checkpoint), "--data", str(tmp_path / "flat"), "--class", "3"]
    assert run(flat) == 2
    assert "frame-level records" in capfd.readouterr().err
