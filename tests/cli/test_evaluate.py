"""`reeltag evaluate` from the command line."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run
from tests.inference.scored import example, write_corpus, write_rows


def test_evaluate_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, data = example(tmp_path)
    assert run(["evaluate", str(path), "--data", str(data), "--bootstrap", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for key in ("gap@20", "hit@1", "perr", "map"):
        low, high = found[f"{key}_interval"]
        assert 0 <= low <= high <= 1 and 0 <= found[key] <= 1
    assert found["gap@20"] == pytest.approx(0.6809524)


def test_evaluate_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_corpus(tmp_path / "data", {"a": (1,)}, {"a": [(0, 3, 1.0)]})
    rows = [("a", None, {1: 1.0}), ("a", 0, {3: 1.0})]
    path = write_rows(tmp_path / "p", rows)
    out = tmp_path / "c.csv"
    command = ["evaluate", str(path), "--data", str(data), "--bootstrap", "5"]
    assert run([*command, "--per-class", str(out)]) == 0
    printed = capsys.readouterr().out
    for name in ("gap@20", "hit@1", "perr", "map", "map@k", "1.0000", "1.0000 to 1.0000"):
        assert name in printed
    assert len(out.read_text().splitlines()) == 6
    assert run([*command[:-1], "0"]) == 0
    assert "interval" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("over", "value", "meaning"),
    [
        ((), "0.5000", "mean AP of 2 classes with a rated positive, each by its 100,000 best "
         "segments; 1 of them in no row: 0"),
        (("--average-over", "listed"), "1.0000", "mean AP of 1 classes with a rated positive, each "
         "by its 100,000 best segments; 1 more in no row: left out"),
    ],
)  # fmt: skip
def test_evaluate_explains_the_number_of_classes(
    over: tuple[str, ...],
    value: str,
    meaning: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_corpus(tmp_path / "data", {"a": ()}, {"a": [(0, 3, 1.0), (0, 4, 1.0)]})
    path = write_rows(tmp_path / "p", [("a", 0, {3: 1.0})])
    assert run(["evaluate", str(path), "--data", str(data), "--bootstrap", "0", *over]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"map@k {value} {meaning}" in printed


def test_evaluate_raises_for_patterns_without_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = example(tmp_path)
    command = ["evaluate", str(path), "--data", str(data), "--test", "test0"]
    assert run(command) == 2
    assert "--test: has no effect without --split" in capsys.readouterr().err
    assert run([*command, "--split", "test", "--bootstrap", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["videos"] == 3


def test_evaluate_bad_input_has_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = example(tmp_path)[1]
    assert run(["evaluate", str(tmp_path / "absent"), "--data", str(data), "--json"]) == 2
    printed = capsys.readouterr()
    assert not printed.out and "absent" in printed.err
