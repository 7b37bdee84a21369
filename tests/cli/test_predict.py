"""`reeltag predict`: from the run folder and the data to the file, with a summary or as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.predictions.file import open_predictions
from tests.cli.moment_runs import untrained_tagger
from tests.deploy.synthetic_runs import run_of
from tests.inference.near_workers import dividing_few_batches, work_nearby
from tests.inference.test_stream import pairs

CORPUS = SynthConfig(videos=30, classes=12, rgb=16, audio=8, min_frames=3, max_frames=33)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder as `reeltag train` writes it, whose test split was validate*."""
    splits = {"train": "", "validate": "train0000", "test": "validate*", "holdout": 0.1}
    folder = tmp_path_factory.mktemp("run") / "RUN"
    return run_of(untrained_tagger(), folder, data={"splits": splits})


def predicted(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return the object."""
    assert run(["predict", *map(str, arguments), "--device", "cpu", "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def test_predict_takes_the_splits_of_the_training(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = (checkpoint, "--data", data)
    found = predicted(capfd, *common, "--out", tmp_path / "a")
    assert found["videos"] == found["video_rows"] == 4 and found["segment_rows"] == 0
    assert {name.split("-")[0] for name, _, _ in pairs(tmp_path / "a", "videos")} == {"validate"}
    predicted(capfd, *common, "--out", tmp_path / "b", "--test", "test*")
    assert {name.split("-")[0] for name, _, _ in pairs(tmp_path / "b", "videos")} == {"test"}
    predicted(capfd, *common, "--out", tmp_path / "c", "--split", "all")
    assert len({name for name, _, _ in pairs(tmp_path / "c", "videos")}) == 30


def test_predict_raises_for_a_runtime_that_cannot_be(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(checkpoint), "--data", str(data), "--out", str(tmp_path / "p")]
    assert run([*words, "--runtime", "onnx", "--precision", "bf16", "--device", "cpu"]) == 2
    assert "--runtime onnx: onnxruntime scores a run on a CPU, in fp32" in capfd.readouterr().err


def test_predict_scores_segments_of_listed_classes(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.csv").write_text("Index\n7\n3\n")
    classes = ("--classes", tmp_path / "ids.csv")
    found = predicted(
        capfd, checkpoint, "--data", data, "--out", tmp_path / "p", "--segments", "--no-videos",
        *classes, "--batch-size", 3,
    )  # fmt: skip
    assert found["video_rows"] == 0 and found["segment_rows"] > 0
    assert {c for _, _, c in pairs(tmp_path / "p", "segments")} == {3, 7}
    about = open_predictions(tmp_path / "p").info
    assert (about.run, about.segment_top_k) == (str(checkpoint), 2)
    wrong = ["predict", str(checkpoint), "--data", str(data), "--out", str(tmp_path / "q")]
    assert run([*wrong, *map(str, classes)]) == 2
    assert "need --segments" in capfd.readouterr().err
    assert run([*wrong, *map(str, classes), "--segments", "--segment-classes", "3"]) == 2
    assert "give one" in capfd.readouterr().err


def test_predict_with_workers_writes_the_rows_of_one_process(
    data: Path,
    checkpoint: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines = work_nearby(monkeypatch)
    monkeypatch.chdir(data.parent)
    common = (checkpoint, "--data", data.name, "--split", "all", "--segments", "--batch-size", 4)
    with dividing_few_batches():
        alone = predicted(capfd, *common, "--out", tmp_path / "one")
        assert not engines
        found = predicted(capfd, *common, "--out", tmp_path / "two", "--workers", 2)
    assert len(engines[0].worker_names) == 2 and len(engines[0].ran) == 8
    for kind in ("videos", "segments"):
        assert pairs(tmp_path / "one", kind) == pairs(tmp_path / "two", kind)
    differing = {name for name in found if found[name] != alone[name]}
    assert differing <= {"path", "seconds"}


def test_predict_prints_what_was_written(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    command = ["predict", str(checkpoint), "--data", str(data), "--out", str(out), "--segments"]
    assert run(command) == 0
    printed = capfd.readouterr().out
    assert "p.parquet: predictions for 4 videos and" in printed and "videos/s" in printed
    assert run(command) == 2
    assert "exists already" in capfd.readouterr().err
    assert run([*command, "--overwrite", "--top-k", "2"]) == 0
    assert len(pairs(out, "videos")) == 8


def test_predict_candidates_make_a_valid_submission(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.csv").write_text("Index\n7\n3\n11\n0\n")
    classes, out = ("--classes", tmp_path / "ids.csv"), tmp_path / "p"
    predicted(
        capfd, checkpoint, "--data", data, "--out", out, "--segments", "--no-videos", *classes,
        "--candidates", 1, "--video-power", 0.05, "--segment-power", 0.95, "--per-class", 5,
        "--shifts", -1, 0, 1,
    )  # fmt: skip
    table = tmp_path / "s.csv"
    submit = ["submit", out, "--challenge", 2019, "--out", table, *classes]
    assert run([*map(str, submit)]) == 0
    assert run(["submit", "--check", str(table), *map(str, classes)]) == 0
    assert "no problems" in capfd.readouterr().out
    found = pairs(out, "segments")
    for line in table.read_text().splitlines()[1:]:
        c, listed = line.split(",")
        mine = [key for key in found if key[2] == int(c)]
        expected = sorted(mine, key=lambda key: -found[key])
        assert listed.split() == [f"{name}:{start:g}" for name, start, _ in expected]
    assert len({c for _, _, c in found}) < 4  # a class that is best in no segment has no row


def test_predict_raises_for_two_video_sources(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", checkpoint, "--data", data, "--out", tmp_path / "p", "--segments"]
    both = ["--candidates", 3, "--video-run", checkpoint, "--video-predictions", tmp_path / "v"]
    assert run([*map(str, [*command, *both])]) == 2
    assert "both score the videos; give one" in capfd.readouterr().err
    assert run([*map(str, [*command, *both[:4]])]) == 0


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--top-k", "0"], "top_k is 0; allowed: an integer >= 1"),
        (["--test", "nothing*"], "nothing*"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
        (["--segments", "--classes", "absent.csv"], "absent.csv"),
        (["--candidates", "20"], "Add --segments"),
        (["--segments", "--shifts", "1"], "shifts is (1,); allowed"),
    ],
)
def test_predict_wrong_options_have_status_2(
    data: Path,
    checkpoint: Path,
    tmp_path: Path,
    arguments: list[str],
    rule: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "p"
    command = ["predict", str(checkpoint), "--data", str(data), "--out", str(out)]
    assert run([*command, *arguments]) == 2
    captured = capfd.readouterr()
    assert rule in captured.err and not captured.out and not list(tmp_path.iterdir())


def test_predict_raises_for_a_folder_without_a_run(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", str(tmp_path), "--data", str(data), "--out", str(tmp_path / "p")]
    assert run(command) == 2
    assert "is not a run folder" in capfd.readouterr().err
