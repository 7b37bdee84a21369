"""`reeltag weak-labels`: what it prints, as a table and as JSON; exit status 2 where it cannot."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run
from tests.library.labelling.synthetic import seconds_of, synthetic_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    names = ("cats/a.mp4", "cats/b.mp4", "dogs/c.mp4", "dogs/d.mp4")
    paths = {f"v{at}": tmp_path / "videos" / name for at, name in enumerate(names)}
    frames = {video: seconds_of(4, {}, at) for at, video in enumerate(paths)}
    return synthetic_data(tmp_path / "data", frames, paths=paths)


def test_words_classes_and_sources_are_printed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mapping.csv"
    command = ["weak-labels", str(data), "--from", "folders", "--texts", "none"]
    assert run([*command, "--mapping", str(mapping)]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines() if line.startswith("folders")] == [
        ["folders", "cats", "cats", "1.00"],
        ["folders", "dogs", "dogs", "1.00"],
        ["folders", "4", "4", "of", "4", "1.00"],
    ]
    assert "classes.csv: 2 classes" in err and "mapping.csv: correct what means" in err
    assert mapping.is_file()


def test_json_is_one_object(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weak-labels", str(data), "--from", "folders", "--texts", "none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == {"folders": 4} and found["classes"] == ["cats", "dogs"]
    assert found["matches"][0] == {
        "source": "folders",
        "word": "cats",
        "class_name": "cats",
        "cosine": 1.0,
    }


def test_what_cannot_be_done_exits_with_2(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weak-labels", str(data), "--from", "csv"]) == 2
    assert capsys.readouterr().err.startswith("error: --table: is needed for --from csv")
