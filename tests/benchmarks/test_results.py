"""Results files: rows are merged by key, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import read_rows, write_rows

KEY = ("name", "unit")
FIRST = {"commit": "aaaaaaa", "date": "2026-01-01 00:00 UTC", "cpu": "one"}
LATER = {"commit": "bbbbbbb", "date": "2026-02-02 00:00 UTC", "cpu": "other"}


def row(name: str, value: float, unit: str = "s") -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [row("a", 1), row("b", 2), row("b", 3, "MiB")]
    write_rows("bench", rows, key=KEY, measured=FIRST, folder=tmp_path)
    return tmp_path


def test_partial_run_keeps_other_rows(folder: Path) -> None:
    before = read_rows("bench", folder=folder)
    write_rows("bench", [row("b", 20)], key=KEY, measured=LATER, folder=folder)
    after = read_rows("bench", folder=folder)
    assert [one["value"] for one in after] == [1, 20, 3]
    assert [after[0], after[2]] == [before[0], before[2]]


def test_row_carries_commit_date_and_hardware_of_its_own_run(folder: Path) -> None:
    write_rows("bench", [row("b", 20), row("c", 4)], key=KEY, measured=LATER, folder=folder)
    marks = [one["measured"] for one in read_rows("bench", folder=folder)]
    assert marks == [FIRST, LATER, FIRST, LATER]


def test_other_lists_of_a_file_stay(folder: Path) -> None:
    write_rows("bench", [{"run": "x"}], key=("run",), measured=LATER, part="runs", folder=folder)
    assert len(read_rows("bench", folder=folder)) == 3
    assert [one["run"] for one in read_rows("bench", "runs", folder=folder)] == ["x"]


def test_failed_write_leaves_the_file_as_it_was(folder: Path) -> None:
    before = (folder / "bench.json").read_text()
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_rows("bench", [{"name": object()}], key=KEY, measured=LATER, folder=folder)
    assert (folder / "bench.json").read_text() == before
    assert [*folder.iterdir()] == [folder / "bench.json"]


def test_absent_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows("bench", folder=tmp_path) == []


def test_result_rows_have_the_command_that_repeats_them() -> None:
    results = Path(__file__).parents[2] / "results"
    for path in results.glob("*.json"):
        for rows in json.loads(path.read_text()).values():
            for one in rows:
                if path.stem == "references":
                    assert one["source"]
                else:
                    assert {"command", "commit", "date", "cpu", "torch"} <= set(one["measured"])
