"""Wrong input on the command line: a message, status 2, and no unfinished output.

Each case once ended in a traceback or a wrong message, or was checked by hand next to those.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from tests.data.made import frame_record, write_shard
from tests.processes import Launch, run_program

ErrorOf = Callable[..., str]


@pytest.fixture
def error_of(capfd: pytest.CaptureFixture[str]) -> ErrorOf:
    """Run a command that must fail with status 2 and an empty stdout; return its message."""

    def fails(*arguments: object) -> str:
        try:
            status: object = run([*map(str, arguments)])
        except SystemExit as error:  # tyro's own checks
            status = error.code
        captured = capfd.readouterr()
        assert status == 2 and not captured.out
        assert "Traceback" not in captured.err and "should not happen" not in captured.err
        return captured.err

    return fails


def train(data: Path, out: Path, *more: str) -> list[str]:
    command = ["train", "logistic", "--data", str(data), "--out", str(out), "--tiny"]
    return [*command, "--max-steps", "4", "--validate-every", "2", *more]


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    assert run(train(corpus, out)) == 0
    return out


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """Return a run folder to damage."""
    return shutil.copytree(trained, tmp_path / "copied")


def changed(folder: Path, key: str, value: Any) -> None:
    """Set `key`, as in "recipe.frames", in config.json; None takes it out."""
    path = folder / "config.json"
    config = part = json.loads(path.read_text())
    *above, last = key.split(".")
    for name in above:
        part = part[name]
    part[last] = value
    if value is None:
        del part[last]
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--batch-size", "0"], "batch_size is 0; allowed: an integer >= 1"),
        (
            ["--batch-size", "999"],
            "number of training videos, 36, got 999\n  Give fewer, such as --batch-size 9.",
        ),
        (["--learning-rate", "-1"], "learning_rate is -1.0; allowed: a finite number > 0"),
        (["--learning-rate", "inf"], "is inf; allowed: a finite number > 0"),
        (["--epochs", "inf"], "is inf; allowed: a finite number > 0"),
        (["--validate-every", "-1"], "validate_every is -1; allowed: an integer >= 0"),
        (["--validate-batches", "-1"], "validate_batches is -1"),
        (["--patience", "-1"], "patience is -1"),
        (["--precision", "fp16", "--accelerator", "cpu"], "fp16 is for GPUs"),
        (["--train", "nope*"], "'nope*'"),
        (["--validate", "nope*"], "'nope*'"),
        (["--items", "segments"], "has rated segments"),
        (["--eigenvalues", "/nope.npy"], "/nope.npy: cannot be read"),
    ],
)
def test_unusable_option_leaves_no_run_folder(
    corpus: Path, tmp_path: Path, error_of: ErrorOf, options: list[str], words: str
) -> None:
    assert words in error_of(*train(corpus, tmp_path / "run", *options))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_leaves_no_run_folder(corpus: Path, tmp_path: Path, error_of: ErrorOf) -> None:
    assert "there is no GPU" in error_of(*train(corpus, tmp_path / "run", "--accelerator", "gpu"))
    assert not list(tmp_path.iterdir())


def test_output_below_a_file_is_named(corpus: Path, trained: Path, error_of: ErrorOf) -> None:
    file = corpus / "README.md"
    assert "is a file, not a folder" in error_of(*train(corpus, file / "run"))
    assert "is a file, not a folder" in error_of("synth", file / "out", "--videos", "4")
    assert "is a file, not a folder" in error_of(
        "predict", trained, "--data", corpus, "--out", file / "p.parquet"
    )
    assert "is a file, not a folder" in error_of("demo", file / "out")
    assert file.is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage: reeltag train"),
        (["--json"], "the name of a model must come first, got --json"),
        (["--config"], "--config needs the config.json of a run"),
        (["--config=/nope"], "/nope: is not a run folder"),
        (["--resume=/nope"], "/nope: is not a run folder"),
    ],
)
def test_train_without_a_model_lists_the_models(
    error_of: ErrorOf, arguments: list[str], words: str
) -> None:
    assert words in error_of("train", *arguments)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("family", None, "lacks the field 'family'"),
        ("family", "alexnet", "no model 'alexnet'"),
        ("model", None, "lacks the field 'model'"),
        ("model.colour", 3, "unknown field model.colour"),
        ("model.num_classes", "eight", "model.num_classes must be a whole number, got 'eight'"),
        ("model.num_classes", 9, "classes.csv"),
        ("model.dims", [16, 5], "model.dims is (16, 5)"),
        ("preprocessing.colour", 1, "unknown field preprocessing.colour"),
        ("streams", None, "lacks the field 'streams'"),
        ("streams", [["rgb", "x"], ["audio", 4]], "streams[0][1] must be a whole number"),
    ],
)
def test_wrong_config_error_names_file_and_field(
    corpus: Path, copied: Path, tmp_path: Path, error_of: ErrorOf, key: str, value: Any, words: str
) -> None:
    changed(copied, key, value)
    for command in (
        ["predict", copied, "--data", corpus, "--out", tmp_path / "p"],
        ["train", "--resume", copied],
    ):
        error = error_of(*command)
        assert words in error and "copied/config.json" in error
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("recipe", None, "lacks the field 'recipe'"),
        ("recipe.colour", 3, "unknown field recipe.colour"),
        ("recipe.batch_size", "x", "recipe.batch_size must be a whole number, got 'x'"),
        ("recipe.batch_size", 0, "recipe cannot be used: batch_size is 0"),
        ("recipe.frames", 3, "recipe.frames must be an object of fields"),
        ("recipe.precision", "fp7", "recipe.precision must be 'fp32' or 'bf16' or 'fp16'"),
        ("data.root", None, "lacks the field 'data.root'"),
        ("data.root", "/nowhere", "/nowhere: is not there"),
    ],
)
def test_wrong_recipe_can_neither_be_resumed_nor_repeated(
    copied: Path, tmp_path: Path, error_of: ErrorOf, key: str, value: Any, words: str
) -> None:
    changed(copied, key, value)
    assert words in error_of("train", "--resume", copied)
    assert words in error_of(
        "train", "--config", copied / "config.json", "--out", tmp_path / "again"
    )
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b'{"family":', "config.json cannot be read"),
        ("config.json", b"[1]", "must hold an object"),
        ("config.json", b"\xff\xfe\x00", "config.json cannot be read"),
        ("model.safetensors", b"junk" * 50, "model.safetensors: cannot be read"),
        ("model.safetensors", b"", "model.safetensors: cannot be read"),
        ("model.safetensors", None, "has no model.safetensors"),
        ("classes.csv", None, "classes.csv: cannot be read"),
        ("classes.csv", b"a,b\n0,x\n", "no column 'name'"),
        ("classes.csv", b"\xff\xfe\x00\n", "classes.csv: cannot be read"),
        ("classes.csv", b"index,name\n0,a\n", "classes.csv next to it names 1"),
    ],
)
def test_damaged_run_file_is_named(
    corpus: Path,
    copied: Path,
    tmp_path: Path,
    error_of: ErrorOf,
    name: str,
    content: bytes | None,
    words: str,
) -> None:
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_bytes(content)
    assert words in error_of("predict", copied, "--data", corpus, "--out", tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_damaged_checkpoint_error_names_the_remedy(
    copied: Path, error_of: ErrorOf, size: int
) -> None:
    checkpoint = copied / "resume.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:size])
    error = error_of("train", "--resume", copied)
    assert "resume.ckpt: is no checkpoint" in error and "Remove it" in error
    checkpoint.unlink()
    assert run(["train", "--resume", str(copied)]) == 0


def test_finished_run_is_reported_and_kept(copied: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (copied / "model.safetensors").read_bytes()
    assert run(["train", "--resume", str(copied), "--json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["steps"] == 4 and "has done 4 steps already" in captured.err
    assert (copied / "model.safetensors").read_bytes() == before


def test_truncated_log_does_not_stop_a_resume(copied: Path) -> None:
    log = copied / "metrics.csv"
    log.write_bytes(b"step\nx\n\xff\n" + log.read_bytes()[:-3])
    assert run(["train", "--resume", str(copied), "--max-steps", "6"]) == 0
    assert log.read_text().startswith("step,examples")


def test_records_without_frames_or_labels_are_named(tmp_path: Path, error_of: ErrorOf) -> None:
    for name, records in {
        "frames": [frame_record(f"v{n}", 0) for n in range(4)],
        "labels": [frame_record(f"v{n}", 5, ()) for n in range(40)],
    }.items():
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name / "train0.tfrecord", records)
    assert "zero frames" in error_of("info", tmp_path / "frames")
    assert "no record has a label" in error_of(*train(tmp_path / "labels", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_broken_shards_are_skipped_counted_and_strict(
    corpus: Path, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "with space ü"
    shutil.copytree(corpus, data, ignore=shutil.ignore_patterns(".reeltag"))
    for name in ("train0000.tfrecord", "test0000.tfrecord"):
        (data / name).write_bytes((data / name).read_bytes()[:-50])
    (data / "train0001.tfrecord").write_bytes(b"")
    assert run(["info", str(data), "--strict", "--json"]) == 1
    problems = {of["problem"]: of for of in json.loads(capfd.readouterr().out)["problems"]}
    assert problems["truncated"]["records"] == 2 and problems["truncated"]["offset"] > 0
    assert run(train(data, tmp_path / "run", "--batch-size", "8")) == 0
    words = capfd.readouterr().err
    assert "1 records with truncated" in words and "1 records with empty shard" in words
    assert run(["predict", str(trained), "--data", str(data), "--out", str(tmp_path / "p")]) == 0
    assert "1 records with truncated" in capfd.readouterr().err


def test_info_pattern_without_a_match_is_an_error(corpus: Path, error_of: ErrorOf) -> None:
    assert "'nope*'" in error_of("info", corpus, "--train", "nope*")
    assert "both train and test" in error_of("info", corpus, "--train", "t*", "--test", "test*")
    assert "--jobs: must be at least 1, got 0" in error_of("info", corpus, "--jobs", "0")


def test_missing_folders_are_errors(
    corpus: Path,
    trained: Path,
    tmp_path: Path,
    error_of: ErrorOf,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "p.parquet"
    command = ["predict", str(trained), "--data", str(corpus), "--out", str(file), "--segments"]
    assert run(command) == 0
    capfd.readouterr()
    page = ("report", file, "--data", corpus, "--out", tmp_path / "page.html", "--bootstrap", "0")
    assert "nope: is not there" in error_of(*page, "--run", tmp_path / "nope")
    submission = ("submit", file, "--challenge", "2019", "--out", tmp_path / "s.csv")
    assert "nope: is not there" in error_of(*submission, "--data", tmp_path / "nope")
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_unexpected_error_is_logged_without_traceback(
    error_of: ErrorOf, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("reeltag.cli.main._run_command", fails)
    assert run(["models"]) == 2
    captured = capfd.readouterr()
    assert "this should not happen (ZeroDivisionError: on purpose)" in captured.err
    assert "Traceback" not in captured.err and not captured.out
    assert run(["models", "--debug"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_closed_pipe_is_no_error(corpus: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "reeltag", "info", str(corpus)]
    done = run_program(command, stdout=writing)
    os.close(writing)
    assert done.stderr == ""


def test_full_disk_in_training_leaves_a_resumable_run(
    corpus: Path, tmp_path: Path, launch: Launch
) -> None:
    out = tmp_path / "run"
    Dataset.open(corpus, quiet=True)  # else the disk fills while the index is written
    # config.json fits, metrics.csv does not
    command = train(corpus, out, "--max-steps", "200", "--log-every", "1")
    process = launch(run, command, most_bytes=6000)
    assert process.result() == 2
    error = process.err.read_text()
    assert "Traceback" not in error
    assert "error:" in error and f"train --resume {out}" in error
    assert not list(out.rglob("*.part"))
    assert run(["train", "--resume", str(out), "--max-steps", "4"]) == 0


def test_ctrl_c_saves_the_step_and_logs_how_to_resume(
    corpus: Path, tmp_path: Path, launch: Launch
) -> None:
    out = tmp_path / "my run"
    command = train(corpus, out, "--max-steps", "100000", "--validate-every", "50")
    process = launch(run, command).until((out / "model.safetensors").exists)
    assert not (out / "resume.ckpt").exists()
    assert process.signal(signal.SIGINT).result() == 130
    error = process.err.read_text()
    assert not process.out.read_text() and "Traceback" not in error
    assert f"`reeltag train --resume '{out}'` goes on" in error
    steps = torch.load(out / "resume.ckpt", weights_only=False)["global_step"]
    assert steps >= 50
    assert run(["train", "--resume", str(out), "--max-steps", str(steps + 2)]) == 0
