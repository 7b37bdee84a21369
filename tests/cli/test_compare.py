"""`reeltag compare` from the command line."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run
from tests.inference.scored import example


def test_compare_prints_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, data = example(tmp_path)
    command = ["compare", str(path), str(path), "--against", str(path), "--data", str(data)]
    assert run([*command, "--bootstrap", "5"]) == 0
    printed = capsys.readouterr().out
    for words in ("gap@20", "P (2)", "against (1)", "+0.0000", "no difference shown"):
        assert words in printed
    assert run([*command, "--bootstrap", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["map"]["difference"] == 0 and found["map"]["interval"] is None
