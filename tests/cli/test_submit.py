"""`reeltag submit`: both formats, the check, and its three exit statuses."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.windows import segments_at


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Three videos and six segments of 10 classes; the data lie in tmp_path/data."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "p.parquet"
    about = PredictionInfo(num_classes=10, top_k=4, segment_top_k=4, data=str(tmp_path / "data"))
    classes = np.tile(np.array([1, 3, 5, 7], np.int32), (6, 1))
    scores = np.linspace(9, -9, 24, dtype=np.float32).reshape(6, 4)
    with prediction_writer(path, about) as writer:
        writer.write(PredictionRows.of_matrix(["a", "b", "c"], None, classes[:3], scores[:3]))
        times = segments_at([0, 5] * 3)
        writer.write(PredictionRows.of_matrix(list("aabbcc"), times, classes, scores))
    return path


def submit(*arguments: object) -> int:
    return run(["submit", *map(str, arguments)])


def test_submit_output_passes_the_check(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for challenge, message in ((2018, "3 videos, 12 labels"), (2019, "10 classes, 24 segments")):
        out = tmp_path / f"{challenge}.csv"
        assert submit(predictions, "--challenge", challenge, "--out", out) == 0
        assert message in capfd.readouterr().out
        assert submit("--check", out) == 0
        printed = capfd.readouterr().out
        assert f"format of {challenge}" in printed and "no problems" in printed


def test_submit_json_is_one_object_on_stdout(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    assert submit(predictions, "--challenge", 2019, "--out", out, "--json") == 0
    written = json.loads(capfd.readouterr().out)
    assert written == {
        "path": str(out),
        "challenge": 2019,
        "rows": 10,
        "entries": 24,
        "repeated": 0,
        "empty": 6,
    }
    out.write_text("Class,Segments\n1,a:3\n")
    assert submit("--check", out, "--json") == 1
    checked = json.loads(capfd.readouterr().out)
    assert (checked["challenge"], checked["sound"], checked["num_problems"]) == (2019, False, 1)
    assert checked["problems"][0]["line"] == 2


def test_submit_takes_class_list_of_the_data(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "segment_label_ids.csv").write_text("Index\n7\n2\n1\n")
    assert submit(predictions, "--challenge", 2019, "--out", tmp_path / "s.csv") == 0
    assert "3 classes, 12 segments\n1 classes have no entry" in capfd.readouterr().out
    assert [line.split(",")[0] for line in (tmp_path / "s.csv").read_text().split("\n")] == [
        "Class", "7", "2", "1", ""
    ]  # fmt: skip
    (tmp_path / "mine.csv").write_text("index,name\n5,Car\n")
    arguments = (predictions, "--challenge", 2019, "--out", tmp_path / "t.csv")
    assert submit(*arguments, "--classes", tmp_path / "mine.csv") == 0
    assert (tmp_path / "t.csv").read_text().startswith("Class,Segments\n5,a:0 a:5 b:0 ")
    assert submit("--check", tmp_path / "t.csv", "--data", tmp_path / "data") == 1
    assert "line 2: class 5 is not one of the 3 allowed" in capfd.readouterr().out
    assert submit("--check", tmp_path / "t.csv", "--classes", tmp_path / "mine.csv") == 0


def test_submit_warns_of_few_classes_per_segment(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert submit(predictions, "--challenge", 2019, "--out", tmp_path / "s.csv") == 0
    printed = " ".join(capfd.readouterr().err.split())
    assert "keep 4 classes per segment" in printed and "--segment-top-k 10" in printed


def test_submit_check_uses_the_vocabulary(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    assert submit(predictions, "--challenge", 2018, "--out", out) == 0
    assert submit("--check", out, "--data", tmp_path / "data") == 2
    assert "neither a vocabulary nor a list" in capfd.readouterr().err
    (tmp_path / "data" / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n3,d\n")
    assert submit("--check", out, "--data", tmp_path / "data") == 1
    assert "class 5 is not one of the 4 allowed" in capfd.readouterr().out


def test_submit_check_prints_lines_with_status_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.csv"
    path.write_text("VideoId,LabelConfidencePairs\na,1 0.5 \n" + "b,1 7\n" * 150)
    assert submit("--check", path) == 1
    printed = capfd.readouterr().out
    assert "problem, line 2: a blank before the end of the line" in printed
    assert "problem, line 3: scores must be in [0, 1], got 7" in printed
    assert "... and 200 more problems" in printed and "300 problems" in printed


def test_submit_check_of_unreadable_file_has_status_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert submit("--check", tmp_path / "absent.csv") == 2
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(b"Class,Segments\n"))
    assert submit("--check", tmp_path / "s.csv.gz") == 2
    captured = capfd.readouterr()
    assert "absent.csv: cannot be read" in captured.err and "not UTF-8" in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    "arguments",
    [[], ["p"], ["p", "--challenge", "2018"], ["p", "--check", "s.csv"]],
)
def test_submit_without_options_is_an_error(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert submit(*arguments) == 2
    assert "Write one: reeltag submit P.parquet" in " ".join(capfd.readouterr().err.split())


def test_submit_keeps_existing_files(
    predictions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    out.write_text("precious")
    assert submit(predictions, "--challenge", 2018, "--out", out) == 2
    assert out.read_text() == "precious" and "exists already" in capfd.readouterr().err
    assert submit(predictions, "--challenge", 2018, "--out", out, "--overwrite") == 0
    assert out.read_text().startswith("VideoId")


def test_submit_to_a_folder_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "p.parquet", "--challenge", "2019", "--out", str(tmp_path)]) == 2
    assert "Name a file, as in --out s.csv." in capfd.readouterr().err
