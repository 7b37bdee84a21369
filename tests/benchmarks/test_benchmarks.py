"""`python -m benchmarks`: which units words name, targets, and runs of some of them."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import units, writing
from benchmarks.__main__ import main
from benchmarks.figure import figure, meets
from benchmarks.results import read_rows
from benchmarks.units import UnitError, units_of


class Trivial(ModuleType):
    """A benchmark of three parts, or of none."""

    def __init__(self, name: str, of: dict[str, str]) -> None:
        super().__init__(name)
        self.of, self.calls, self.value = of, list[list[str]](), 1.0

    def parts(self) -> dict[str, str]:
        return self.of

    def run(self, quick: bool, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        self.calls.append([*only])
        return [figure(f"train {part}", self.value, "s", "<= 2") for part in only or ["all"]]


@pytest.fixture
def trivial(monkeypatch: pytest.MonkeyPatch) -> Trivial:
    with_parts = Trivial("zoo", {"lstm_2": "lstm", "gru_2": "gru", "gru_3": "gru"})
    for name, module in (("zoo", with_parts), ("plain", Trivial("plain", {}))):
        monkeypatch.setitem(sys.modules, f"benchmarks.trivial_{name}", module)
    monkeypatch.setattr(units, "NAMES", ("trivial_zoo", "trivial_plain"))
    return with_parts


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", "trivial_zoo lstm_2, trivial_zoo gru_2, trivial_zoo gru_3, trivial_plain"),
        ("trivial_zoo gru", "trivial_zoo gru_2, trivial_zoo gru_3"),
        ("trivial_zoo *_2 trivial_plain", "trivial_zoo lstm_2, trivial_zoo gru_2, trivial_plain"),
        ("trivial_plain trivial_zoo gru_3", "trivial_plain, trivial_zoo gru_3"),
    ],
)
@pytest.mark.usefixtures("trivial")
def test_arguments_name_benchmarks_and_their_parts(words: str, found: str) -> None:
    assert ", ".join(map(str, units_of(words.split()))) == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nextvlad", "there is no benchmark 'nextvlad'; there are trivial_zoo, trivial_plain"),
        ("trivial_zoo gur", "'gur' is no benchmark and no part of 'trivial_zoo'; .* lstm_2, gru_2"),
        ("trivial_plain gru", "no part of 'trivial_plain'; its parts: none"),
    ],
)
@pytest.mark.usefixtures("trivial")
def test_unknown_benchmark_raises_with_the_known_ones(words: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        units_of(words.split())


def test_run_of_a_part_updates_its_rows_only(trivial: Trivial, tmp_path: Path) -> None:
    assert main(["trivial_zoo"], tmp_path) == 0
    trivial.value = 3.0
    assert main(["trivial_zoo", "gru_2"], tmp_path) == 1  # a target is missed
    rows = read_rows("bench_trivial_zoo", folder=tmp_path)
    assert [(row["part"], row["value"]) for row in rows] == [
        ("lstm_2", 1.0),
        ("gru_2", 3.0),
        ("gru_3", 1.0),
    ]
    assert rows[1]["measured"]["command"] == "python -m benchmarks trivial_zoo gru_2"


def test_resumed_run_measures_what_is_missing(trivial: Trivial, tmp_path: Path) -> None:
    main(["trivial_zoo", "lstm"], tmp_path)
    main(["trivial_zoo", "--resume"], tmp_path)
    assert trivial.calls == [["lstm_2"], ["gru_2"], ["gru_3"]]
    path = tmp_path / "bench_trivial_zoo.json"
    content = json.loads(path.read_text())
    content["rows"][1]["measured"]["commit"] = "0000000"  # of an older run
    path.write_text(json.dumps(content))
    main(["trivial_zoo", "--resume"], tmp_path)
    assert trivial.calls[3:] == [["gru_2"]]


def test_run_on_another_machine_replaces_nothing(
    trivial: Trivial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["trivial_zoo", "lstm"], tmp_path)
    for module in (writing, cli):
        monkeypatch.setattr(module, "machine", lambda: "another machine")
    main(["trivial_zoo", "lstm", "--resume"], tmp_path)
    assert trivial.calls == [["lstm_2"], ["lstm_2"]]
    here, there = read_rows("bench_trivial_zoo", folder=tmp_path)
    assert here["name"] == there["name"] and there["machine"] == "another machine"


def test_quick_run_prints_and_writes_nothing(
    trivial: Trivial, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["trivial_zoo", "gru_3", "--quick", "--json"], tmp_path)
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"name": "train gru_3", "value": 1.0, "unit": "s", "part": "gru_3"}  # no target
    assert trivial.calls == [["gru_3"]] and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (10.0, "<= 10", True),
        (10.1, "<= 10", False),
        (7_999, ">= 8,000", False),
        (10.0, "< 10 %", False),
        (119.7, "< 190.7 MiB", True),
    ],
)
def test_target_is_a_sign_and_a_number(value: float, target: str, met: bool) -> None:
    assert meets(value, target) is met
    assert figure("a", value, "", target)["met"] is met


def test_figure_without_target_is_neither_met_nor_missed() -> None:
    assert figure("a", 1.0, "s") == {"name": "a", "value": 1.0, "unit": "s"}
