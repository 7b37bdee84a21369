"""`reeltag similar`: a table, or one JSON object."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run
from tests.library.test_similar import random_videos, write_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    videos = random_videos()
    videos["v3"]["rgb"][8:10] = videos["v0"]["rgb"][4]
    write_data(tmp_path / "data", videos)
    return tmp_path / "data"


def test_moments_are_listed_best_first(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["similar", str(data), "--video", "v0", "--at", "4", "--stream", "rgb"]
    assert run([*command, "--top", "3"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split() == ["v3", "8.0", "10.0", "8.0", "1.000"]
    assert len(out.splitlines()) == 4 and "of 195 frames in" in err
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["video"] == "v0" and found["moments"][0]["video"] == "v3"


def test_unknown_stream_exits_with_2(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["similar", str(data), "--video", "v0", "--at", "4", "--stream", "smell"]) == 2
    assert "choose some of its streams" in capsys.readouterr().err.replace("\n", " ")
