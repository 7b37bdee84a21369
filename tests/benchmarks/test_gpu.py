"""`python -m benchmarks gpu`: everything up to the launch, on a CPU, and what its rows say."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import command, steps
from benchmarks.gpu.command import PARTS, Session, main, run_parts, test_row
from benchmarks.gpu.device import seconds_per_call
from benchmarks.gpu.steps import cases, measure_steps, step_names, tasks
from benchmarks.models import Case
from benchmarks.results import Row, read_rows
from benchmarks.tables import gpu as tables
from reeltag.models import families

CPU = torch.device("cpu")
LOGISTIC = Case(family="logistic", variant="logistic", batch=80, frames=1)
test_row.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "cases", lambda: [case for case in cases() if case.family == "moe"])


def session(folder: Path, **fields: Any) -> Session:
    found = Session(CPU, quick=True, deadline=time.monotonic() + 100, folder=folder)
    return replace(found, **fields)


def test_every_family_is_a_case_at_its_authors_size() -> None:
    assert [case.family for case in cases()] == [family.name for family in families()]
    pairs = zip(cases(), families(), strict=True)
    assert all(case.batch == family.recipe["batch_size"] for case, family in pairs)
    assert len({name for name, _ in step_names()}) == 6 * len(cases())


def test_parts_run_on_a_cpu_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["products", "feeding", "scoring"]
    assert main([*parts, "--device", "cpu", "--quick", "--json"], folder=tmp_path) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {row["part"] for row in rows.values()} == set(parts)
    assert {f"nextvlad trained from {way}" for way in ("memory", "files")} <= rows.keys()
    assert {f"soft labels {of}" for of in ("fp32", "bf16")} <= rows.keys()
    assert all(row["value"] > 0 and "target" not in row for row in rows.values())
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("one_family")
def test_steps_are_measured_in_processes_of_their_own() -> None:
    wanted = [of for of in tasks("cpu", frozenset(), quick=True) if not of.compiled]
    rates = {"tf32": 1e9, "fp16": 1e9, "bf16": 1e9}
    rows = [*measure_steps(wanted, rates, workers=1, deadline=time.monotonic() + 100)]
    assert [row["name"] for row in rows] == [name for name, _ in step_names()[:3]]
    for row in rows:
        details = row["details"]
        share = details["gflop_a_video"] * row["value"]
        assert details["fraction_of_matmul_rate"] == pytest.approx(share, rel=0.01)
        assert details["peak_gib"] > 0 and details["batch"] >= 2


@pytest.mark.usefixtures("one_family")
def test_steps_that_are_known_are_not_measured_again() -> None:
    first = tasks("cpu", frozenset(), quick=True)
    assert [task.compiled for task in first] == [False, True]
    known = {name for name, _ in step_names()[:2]}
    (rest, _) = tasks("cpu", frozenset(known), quick=True)
    assert len(rest.skip) == 2
    known = {name for name, _ in step_names()[:3]}
    assert [task.compiled for task in tasks("cpu", frozenset(known), quick=True)] == [True]


def test_part_that_fails_is_a_problem_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Session) -> Iterator[Row]:
        raise RuntimeError("CUDA error: out of memory\nmore")
        yield

    def sound(_: Session) -> Iterator[Row]:
        yield {"name": "sound", "value": 1.0, "unit": "s"}

    for name, part in (("feeding", failing), ("scoring", sound)):
        monkeypatch.setitem(PARTS, name, part)
    run = session(tmp_path, quick=False)
    assert run_parts(run, ["feeding", "scoring"]) == []
    (problem,) = read_rows("gpu", "problems", folder=tmp_path)
    assert problem["name"] == "feeding" and "out of memory" in problem["error"]
    assert read_rows("gpu", folder=tmp_path)[0]["part"] == "scoring"
    assert "scoring" in command._known(tmp_path)


@pytest.mark.usefixtures("one_family")
def test_what_the_time_is_not_enough_for_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = session(tmp_path, deadline=time.monotonic() - 1)
    assert run_parts(late, ["products", "steps"]) == ["products", "steps"]
    monkeypatch.setattr(command, "measure_steps", lambda *_, **__: iter(()))
    run = session(tmp_path, rows=[{"name": "matrix product tf32", "value": 1.0, "unit": "TFLOP/s"}])
    assert run_parts(run, ["steps"]) == [name for name, _ in step_names()]


def test_without_a_gpu_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--device", "cpu"], folder=tmp_path) == 2
    assert "--device cpu needs --quick" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["zoo"], folder=tmp_path)


def test_report_of_pytest_is_a_figure(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(
        '<testsuites><testsuite tests="4" failures="1" errors="0" skipped="1">'
        '<testcase classname="a" name="b"><failure/></testcase></testsuite></testsuites>'
    )
    row = test_row(tmp_path / "tests.xml")
    assert row["value"] == 1 and row["met"] is False
    assert row["details"] == {"passed": 2, "skipped": 1, "failed": ["a::b"]}


def test_clock_counts_calls_in_rounds() -> None:
    calls = list[int]()
    times = seconds_per_call(lambda: calls.append(1), CPU, seconds=0.01)
    assert len(times) >= 2 and all(seconds > 0 for seconds in times) and len(calls) > 5


def test_tables_say_that_nothing_is_measured_or_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "read_rows", lambda *_: [])
    assert tables.gpu_figures() == tables.gpu_steps() == tables.NOT_MEASURED
    assert tables.gpu_problems() == "None."
    measured = {"date": "2030-01-01", "commit": "abc"}
    details = {"batch": 80, "frames": 300, "peak_gib": 1.5, "fraction_of_matmul_rate": 0.25}
    row = {"name": "step moe_2 bf16", "value": 1234.5, "unit": "videos/s", "part": "steps"}
    rows = [row | {"machine": "a GPU", "measured": measured, "details": details}]
    monkeypatch.setattr(tables, "read_rows", lambda *_: rows)
    assert "| moe_2 | 80 x 300 |  |  | 1,234 |  |  |  | 0.25 | 1.5 |" in tables.gpu_steps()
