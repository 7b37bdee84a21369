"""Two checkouts in turns: fresh processes with their own modules, rows paired, ratios."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import in_turns, main, paired, ratios
from benchmarks.results import PROJECT
from benchmarks.units import Unit

BENCHMARK = """
from pathlib import Path
from benchmarks.speed import SPEED

def run(quick):
    with Path({log!r}).open("a") as log:
        log.write({name!r})
        turn = log.tell()
    print("words on stdout are no rows")
    return [dict(name={row!r}, unit="videos/s", value=SPEED + turn, details=None),
            dict(name="overhead", unit="% of the step", value=SPEED)]
"""


def checkout(folder: Path, name: str, row: str, speed: float, log: Path) -> Path:
    package = folder / name / "benchmarks"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "speed.py").write_text(f"SPEED = {speed}")
    (package / "trivial.py").write_text(BENCHMARK.format(log=str(log), name=name, row=row))
    return package.parent


def row(name: str, value: float = 1.0, unit: str = "s") -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": value}


def test_checkouts_take_turns_in_processes_of_their_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sides = (
        checkout(tmp_path, "A", "made lists", 9, log),
        checkout(tmp_path, "B", "synthetic lists", 18, log),
    )
    found = in_turns(Unit(benchmark="trivial"), sides, 2, quick=True)
    assert log.read_text() == "ABAB"
    runs = found["synthetic lists (there: made lists)"]
    assert [(theirs["value"], ours["value"]) for theirs, ours in runs] == [(10, 20), (12, 22)]
    assert ratios(runs) == [2.0, 22 / 12]
    assert ratios(found["overhead"]) == []  # a percentage has no ratio that means anything


def test_rows_are_paired_by_name_then_by_order() -> None:
    theirs = [row("a"), row("old"), row("b"), row("old 2")]
    ours = [row("new"), row("b"), row("new 2"), row("a")]
    pairs = [(one["name"], other["name"]) for one, other in paired(theirs, ours)]
    assert pairs == [("old", "new"), ("b", "b"), ("old 2", "new 2"), ("a", "a")]


def test_row_without_partner_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"only here \['b', 'c'\], only there \['old'\]"):
        [*paired([row("a"), row("old")], [row("a"), row("b"), row("c")])]


def test_folder_that_is_no_checkout_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--against", str(tmp_path), "indexing"])
    assert f"{tmp_path}: no checkout" in capsys.readouterr().err


def test_smallest_median_and_largest_ratio_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [(row("a", 2.0), row("a", value)) for value in (6.0, 1.0, 3.0)]
    monkeypatch.setattr("benchmarks.compare.in_turns", lambda *_, **__: {"a": runs})
    assert main(["--against", str(PROJECT), "indexing"]) == 0
    assert capsys.readouterr().out.split()[-7:] == ["a", "2", "3", "s", "0.500", "1.500", "3.000"]
