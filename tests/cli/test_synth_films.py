"""`reeltag synth-films` from the command line."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run

TINY = ["--number", "1", "--min-seconds", "5", "--max-seconds", "5", "--jobs", "1"]


def test_synth_films_prints_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["synth-films", str(tmp_path / "a"), *TINY, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["films"] == 1 and found["seconds"] == 5 and found["moments"] > 0
    assert run(["synth-films", str(tmp_path / "b"), *TINY]) == 0
    captured = capsys.readouterr()
    assert captured.out == "" and "1 synthetic films, 0.1 minutes" in captured.err
    assert (tmp_path / "a" / "film_001.mp4").read_bytes() == (
        tmp_path / "b" / "film_001.mp4"
    ).read_bytes()


def test_synth_films_names_a_bad_argument(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["synth-films", str(tmp_path / "a"), "--recall", "2"]) == 2
    assert "recall is 2.0; allowed: a number in (0, 1]" in capsys.readouterr().err
