"""Plans: states and costs of all steps, without running anything."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from reeltag.core.errors import DataError
from reeltag.core.formatting import format_duration, format_size
from reeltag.core.locks import try_lock
from reeltag.pipeline import planning
from reeltag.pipeline.plan_table import format_summary, plan_table
from reeltag.pipeline.planning import RunPlan, plan
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, source, step
from reeltag.pipeline.store import begin, finish, folder_of, lock_of, part_of
from tests.pipeline.synthetic_steps import costly, diamond, folders


def text(planned: RunPlan) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(plan_table(planned))
    return [line.rstrip() for line in capture.get().splitlines()]


def summed(name: str, *inputs: Step, seconds: float | None, bytes_: int = 0) -> Step:
    return step(costly, *inputs, name=name, seconds=seconds, bytes_=bytes_)


def took(planned: Step, root: Path, seconds: float) -> None:
    finish(planned, root, begin(planned, root), seconds=seconds)


@pytest.fixture
def goal(tmp_path: Path) -> Step:
    (tmp_path / "data.txt").write_text("4")
    return diamond(source(tmp_path / "data.txt", "four"), tmp_path / "log")


def test_plan_writes_nothing_and_needs_no_folder(goal: Step, tmp_path: Path) -> None:
    planned = plan(goal, tmp_path / "deep" / "work")
    assert [row.state for row in planned.rows] == ["to do"] * 4 and planned.unknown == 4
    assert folders(tmp_path) == ["data.txt"]


def test_plan_states_follow_the_folders(goal: Step, tmp_path: Path) -> None:
    root = tmp_path / "work"
    top, left, right = (row.step for row in plan(goal, root).rows[:3])
    run(left, root)
    begin(right, root)
    states = [row.state for row in plan(goal, root).rows]
    assert states == ["done", "done", "partial", "to do"]
    folder_of(top, root).rename(root / "gone")
    assert plan(left, root).rows[0].state == "not needed"
    assert plan(goal, root).rows[0].state == "to do"  # the right one needs it again
    with try_lock(lock_of(right, root)):
        assert plan(goal, root).rows[2].holder.startswith("process ")


def test_estimate_is_scaled_by_measured_times(tmp_path: Path) -> None:
    for name, seconds in (("a", 30.0), ("bb", 20.0), ("ccc", 1000.0)):  # x 3, x 2, x 100
        took(summed(name, seconds=10.0), tmp_path, seconds)
    row = plan(summed("dddd", seconds=50.0, bytes_=7), tmp_path).rows[0]
    assert row.seconds == pytest.approx(150.0) and row.bytes == 7 and row.basis == "estimate"


def test_estimate_defaults_to_median_of_similar_steps(tmp_path: Path) -> None:
    assert plan(summed("x", seconds=None), tmp_path).rows[0].basis == "unknown"
    for name, seconds in (("a", 30.0), ("bb", 20.0), ("ccc", 1000.0)):
        took(summed(name, seconds=None), tmp_path, seconds)
    row = plan(summed("dddd", seconds=None), tmp_path).rows[0]
    assert row.seconds == 30.0 and row.basis == "similar steps"


def test_plan_ignores_step_json_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "alien").mkdir()
    (tmp_path / "alien" / "step.json").write_text("{}")
    assert plan(summed("a", seconds=1.0), tmp_path).seconds == 1.0


def test_estimate_subtracts_time_spent_on_unfinished_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = summed("a", seconds=100.0, bytes_=10_000)
    begin(planned, tmp_path)
    (part_of(planned, tmp_path) / "x").write_bytes(bytes(4000))
    monkeypatch.setattr(planning, "seconds_spent", lambda part, record: 30.0)
    row = plan(planned, tmp_path).rows[0]
    assert row.state == "partial" and row.seconds == 70.0
    assert row.bytes is not None and 4000 < row.bytes < 6000  # step.json counts too


def test_plan_totals_count_steps_to_do(tmp_path: Path) -> None:
    one, two = summed("a", seconds=10.0), summed("bb", seconds=20.0, bytes_=5)
    goal = summed("ccc", one, two, summed("dddd", seconds=None), seconds=40.0, bytes_=6)
    took(one, tmp_path, 10.0)
    planned = plan(goal, tmp_path)
    # of "dddd" it is known that "a", of the same function, took 10 s
    assert planned.seconds == pytest.approx(70.0) and planned.bytes == 11 and planned.unknown == 0
    found = json.loads(json.dumps(planned.to_json()))
    assert found["to_do"]["seconds"] == pytest.approx(70.0) and len(found["steps"]) == 4
    assert found["steps"][3]["needs"] == [
        row["folder"].split("/")[-1] for row in found["steps"][:3]
    ]
    assert format_summary(planned) == "1 of 4 steps are done; to do: about 1 min 10 s, 11 B."


def test_seconds_on_workers_follow_the_critical_schedule(tmp_path: Path) -> None:
    three = [summed(name, seconds=30.0) for name in "abc"]
    goal = summed("goal", *three, seconds=10.0)
    planned = plan([goal, summed("alone", seconds=25.0)], tmp_path)
    # two workers: a and b, then c and alone, then goal; three: a, b and c, then goal and alone
    assert [planned.seconds_on(workers) for workers in (1, 2, 3, 9)] == [125.0, 70.0, 55.0, 40.0]
    assert format_summary(planned, 2).endswith(
        "about 2 min 5 s of work, 1 min 10 s on 2 workers, 0 B."
    )
    took(three[0], tmp_path, 30.0)
    assert plan(goal, tmp_path).seconds_on(2) == 40.0


def test_plan_table_expands_a_shared_step_once(goal: Step, tmp_path: Path) -> None:
    lines = text(plan(goal, tmp_path / "work"))
    assert [line.split("  ")[0].rstrip() for line in lines[1:2]] == ["4 total-goal"]
    assert "├─ 2 total-left" in lines[2] and "│  └─ 1 number-top" in lines[3]
    assert "│     └─ data" in lines[4] and "data" in lines[4]
    assert "└─ 3 total-right of 1" in lines[5] and "(above)" not in lines[5]
    assert len(lines) == 6 and "?" in lines[1]
    left, right = goal.needs
    assert isinstance(left, Step) and isinstance(right, Step)
    both = summed("both", right, left, seconds=None)
    again = text(plan([left, both], tmp_path / "work"))
    assert [line.split("  ")[0].rstrip() for line in again[-3:]] == [
        *("4 costly-both", "├─ 3 total-right of 1", "└─ 2 total-left (above)"),
    ]
    run(goal, tmp_path / "work")
    planned = plan(goal, tmp_path / "work")
    assert "done" in text(planned)[1] and format_summary(planned) == "All steps are done."


def test_summary_warns_of_a_small_disk(tmp_path: Path) -> None:
    planned = plan(summed("a", seconds=1.0, bytes_=10**18), tmp_path)
    assert "1000 PB. The disk has only" in format_summary(planned)


def test_plan_names_missing_data(goal: Step, tmp_path: Path) -> None:
    (tmp_path / "data.txt").unlink()
    with pytest.raises(DataError, match="is not there, but the step number-top needs it"):
        plan(goal, tmp_path / "work")


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(0.04, "0.0 s"), (9.96, "10 s"), (61, "1 min 1 s"), (3600, "1 h"), (90000, "1 d 1 h")],
)
def test_format_duration_values(seconds: float, message: str) -> None:
    assert format_duration(seconds) == message


@pytest.mark.parametrize(
    ("count", "message"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_960, "1.0 MB")]
)
def test_format_size_values(count: int, message: str) -> None:
    assert format_size(count) == message
