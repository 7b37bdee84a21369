"""`reeltag import` from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from tests.data.importing.archives import save_npy, some_videos


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_npy(tmp_path / "in", some_videos(8))


def test_import_prints_what_was_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "notes.txt").touch()
    out = tmp_path / "out"
    arguments = [str(source), "--out", str(out), "--rate", "2", "--encoder", "rgb=clip@1"]
    assert run(["import", *arguments, "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 8 videos" in printed and "clip 1" in printed
    assert "files without features: 1 .txt" in printed
    assert printed.splitlines()[-1] == f"next: reeltag info {out}"


def test_json_prints_one_object_and_nothing_else(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", str(source), "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["videos"] == 8 and printed["streams"][0]["name"] == "rgb"
    assert printed["streams"][0]["kept_cosine"] > 0.999
    assert sum(printed["splits"].values()) == 8


def test_bad_video_has_status_2_and_is_listed_with_skip_bad(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(source / "rgb" / "v1.npy", np.full((3, 5), np.inf))
    np.save(source / "audio" / "v1.npy", np.ones((3, 3)))
    arguments = ["import", str(source), "--out", str(tmp_path / "out")]
    assert run(arguments) == 2
    assert "row 0 of rgb: value 0 is inf" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run([*arguments, "--skip-bad"]) == 0
    printed = capsys.readouterr().out
    assert "1 left out:" in printed and "v1" in printed
