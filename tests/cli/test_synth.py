"""`reeltag synth` from the command line."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run

TINY = ["--videos", "12", "--classes", "8", "--rgb", "8", "--audio", "4", "--jobs", "1"]


def test_json_prints_one_object_on_stdout_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["synth", str(tmp_path / "out"), *TINY, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["videos"] == 12 and found["splits"] == {"train": 8, "validate": 2, "test": 2}
    assert (tmp_path / "out" / "vocabulary.csv").is_file()


def test_synth_logs_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["synth", str(tmp_path / "out"), *TINY]) == 0
    captured = capsys.readouterr()
    assert captured.out == "" and "12 synthetic videos" in " ".join(captured.err.split())


def test_bad_argument_is_named_with_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["synth", str(tmp_path / "out"), "--recall", "2"]) == 2
    assert "recall is 2.0; allowed: a number in (0, 1]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_synth_existing_folder_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").touch()
    assert run(["synth", str(tmp_path / "out"), *TINY]) == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())
