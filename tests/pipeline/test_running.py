"""Running: results are finished or absent; each step runs once; unfinished ones resume."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.parts import lock_next_to, part_name
from reeltag.pipeline.events import Event
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Source, Step, source, step
from reeltag.pipeline.store import begin, finish, folder_of, is_done, lock_of, part_of, read_record
from tests.pipeline.synthetic_steps import (
    calls,
    diamond,
    failing,
    failing_at_first,
    folders,
    nested,
    slow,
    total,
    value,
)
from tests.processes import Launch


@pytest.fixture
def data(tmp_path: Path) -> Source:
    (tmp_path / "data.txt").write_text("4")
    return source(tmp_path / "data.txt", "four")


def test_run_reports_unwritable_folder_at_once(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        run(slow_step(tmp_path), work)
    full = tmp_path / "full"
    lock_of(slow_step(tmp_path), full).mkdir(parents=True)  # as good as a disk that is full
    with pytest.raises(OutputError, match=r"cannot be written \(Is a directory\)"):
        run(slow_step(tmp_path), full, keep_going=True, retries=3)


def slow_step(folder: Path, name: str = "") -> Step:
    """Return a step that waits in the middle for the folder's gate."""
    return step(slow, name=name, ticks=5, runtime={"log": folder / "log", "gate": folder / "gate"})


def pair(folder: Path) -> list[Step]:
    """Return two steps, of which the second waits for nothing."""
    runtime = {"log": folder / "log", "gate": folder}
    return [slow_step(folder, "a"), step(slow, name="b", ticks=5, runtime=runtime)]


def make(goals: Callable[[Path], Step | list[Step]], folder: Path) -> None:
    run(goals(folder), folder / "work")


def test_run_runs_each_step_once(data: Source, tmp_path: Path) -> None:
    goal, root, log = diamond(data, tmp_path / "log"), tmp_path / "work", tmp_path / "log"
    run(goal, root)
    assert value(folder_of(goal, root)) == 4 * 0.5 * 2 + 7
    assert calls(log) == ["number-top", "total-left", "total-right", "total-goal"]
    run(diamond(data, log), root)
    assert len(calls(log)) == 4
    assert all(
        folder_of(goal, root).parent.joinpath(name, "step.json").is_file() for name in folders(root)
    )


def test_run_repeats_only_dependents_of_a_change(data: Source, tmp_path: Path) -> None:
    root, log = tmp_path / "work", tmp_path / "log"
    run(diamond(data, log), root)
    changed = diamond(data, log, plus=1.0)
    run(changed, root)
    assert calls(log)[4:] == ["total-left", "total-goal"]
    assert value(folder_of(changed, root)) == 12


def test_run_uses_moved_data_without_running_again(data: Source, tmp_path: Path) -> None:
    root, log = tmp_path / "work", tmp_path / "log"
    run(diamond(data, log), root)
    moved = source(data.path.rename(tmp_path / "moved.txt"), "four")
    run(diamond(moved, log, plus=1.0), root)
    assert calls(log)[4:] == ["total-left", "total-goal"]


def test_run_does_not_need_inputs_of_finished_steps(data: Source, tmp_path: Path) -> None:
    root, log = tmp_path / "work", tmp_path / "log"
    goal = diamond(data, log)
    run(goal, root)
    for folder in root.iterdir():
        if not folder.name.startswith("total-goal"):
            folder.rename(tmp_path / folder.name)
    data.path.unlink()
    run(goal, root)
    assert len(calls(log)) == 4


def test_run_names_missing_data_first(data: Source, tmp_path: Path) -> None:
    data.path.unlink()
    with pytest.raises(DataError, match=r"data.txt: is not there, but the step number-top"):
        run(diamond(data, tmp_path / "log"), tmp_path / "work")


def test_step_gets_paths_of_steps_in_its_config(data: Source, tmp_path: Path) -> None:
    runtime = {"log": tmp_path / "log"}
    one, two = (step(total, plus=plus, name=str(plus), runtime=runtime) for plus in (1.0, 2.0))
    paths = [one / "value.json", two / "value.json", data]
    goal = step(nested, of={"paths": paths}, runtime=runtime)
    run(goal, tmp_path / "work")
    assert value(folder_of(goal, tmp_path / "work")) == 7


def test_step_json_records_function_config_and_inputs(data: Source, tmp_path: Path) -> None:
    goal = diamond(data, tmp_path / "log", plus=2.5)
    run(goal, tmp_path / "work")
    left = goal.needs[0]
    assert isinstance(left, Step)
    folder = folder_of(left, tmp_path / "work")
    found = json.loads((folder / "step.json").read_text())
    assert (found["id"], found["function"]) == ("total", "tests.pipeline.synthetic_steps.total")
    assert found["config"] == {"plus": 2.5}
    assert found["inputs"] == [node.label() for node in left.needs] and found["version"] == 1
    assert found["finished"] and found["bytes"] >= len("4.5") and found["seconds"] >= 0
    assert found["sessions"] == 1 and found["date"] and found["reeltag"]


def test_killed_step_resumes_in_its_folder(tmp_path: Path, launch: Launch) -> None:
    goal, root = slow_step(tmp_path), tmp_path / "work"
    part = part_of(goal, root)
    process = launch(make, slow_step, tmp_path)
    process.until(lambda: (part / "ticks").exists() and (part / "ticks").read_text() == "3")
    process.kill()
    assert not folder_of(goal, root).exists()
    (part / "marker").touch()
    record = read_record(part)
    assert record is not None
    earlier = {**json.loads((part / "step.json").read_text()), "began": record.began - 100}
    (part / "step.json").write_text(json.dumps(earlier))
    (tmp_path / "gate").touch()
    seen: list[Event] = []
    run(goal, root, seen.append)
    folder = folder_of(goal, root)
    assert (folder / "marker").exists() and value(folder) == 5
    assert [event.kind for event in seen] == ["present", "resumed", "done"]
    assert seen[-1].message == "in 2 sessions"
    record = read_record(folder)
    assert record is not None and record.sessions == 2 and record.seconds >= 100  # of both
    assert folders(root) == [folder.name]


def test_finished_step_has_nothing_that_killed_sessions_left(tmp_path: Path) -> None:
    goal, root = slow_step(tmp_path), tmp_path / "work"
    (tmp_path / "gate").touch()
    run_folder = part_of(goal, root) / "run"
    run_folder.mkdir(parents=True)
    lock_next_to(run_folder).touch()  # of a session that was killed when its result was whole
    (run_folder / ".reeltag-lock").touch()
    (run_folder / part_name("model.safetensors")).touch()
    (run_folder / "model.safetensors").touch()
    run(goal, root)
    folder = folder_of(goal, root)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert left == {"run", "run/model.safetensors", "step.json", "ticks", "value.json"}


def test_kill_before_rename_runs_nothing_again(tmp_path: Path) -> None:
    goal, root = slow_step(tmp_path), tmp_path / "work"
    finish(goal, root, begin(goal, root), seconds=3.0)
    folder_of(goal, root).rename(part_of(goal, root))
    run(goal, root)
    record = read_record(folder_of(goal, root))
    assert calls(tmp_path / "log") == [] and record is not None and record.seconds == 3.0


def test_processes_of_one_graph_run_a_step_once(tmp_path: Path, launch: Launch) -> None:
    processes = [launch(make, slow_step, tmp_path) for _ in range(2)]

    def waiting() -> list[int]:
        return [at for at in (0, 1) if "waiting" in processes[at].err.read_text()]

    processes[0].until(lambda: bool(waiting()))
    (tmp_path / "gate").touch()
    for process in processes:
        process.result()
    (second,) = waiting()
    first = processes[1 - second]
    assert calls(tmp_path / "log") == ["slow"]
    assert f"waiting for process {first.pid} on " in processes[second].err.read_text()


def test_processes_of_one_graph_divide_independent_steps(tmp_path: Path, launch: Launch) -> None:
    seen, log = list[Event](), tmp_path / "log"
    process = launch(make, pair, tmp_path).until(lambda: calls(log) == ["slow-a"])

    def see(event: Event) -> None:
        seen.append(event)
        if event.kind == "started":
            (tmp_path / "gate").touch()

    run(pair(tmp_path), tmp_path / "work", see)
    process.result()
    assert calls(log) == ["slow-a", "slow-b"]
    assert [event.kind for event in seen][:2] == ["present", "started"]
    assert seen[1].step is not None and seen[1].step.name == "slow-b"


def test_step_finished_meanwhile_is_not_run_again(tmp_path: Path) -> None:
    root, log = tmp_path / "w", tmp_path / "log"
    goal = step(total, runtime={"log": log})

    def other(event: Event) -> None:
        if event.kind == "present":  # missing steps have been found by now
            run(goal, root, lambda _: None)

    run(goal, root, other)
    assert calls(log) == ["total"]


def test_failing_step_is_named_and_keeps_its_folder(
    data: Source, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, flag = tmp_path / "work", tmp_path / "flag"
    flag.touch()
    before = diamond(data, tmp_path / "log")
    goal = step(failing, before, name="II-B", runtime={"flag": flag})
    with pytest.raises(ZeroDivisionError, match="by the flag") as caught:
        run(goal, root)
    note = caught.value.__notes__[0]
    assert "in step failing-II-B" in note and "resumes" in note and ".part" in note
    assert "[5/5] failing-II-B stopped after" in capfd.readouterr().err
    assert folder_of(before, root).is_dir() and (part_of(goal, root) / "started").exists()
    assert not folder_of(goal, root).exists() and not list(root.glob("*.lock"))
    flag.unlink()
    run(goal, root)
    assert value(folder_of(goal, root)) == 1.0 and len(calls(tmp_path / "log")) == 4


def test_keep_going_runs_steps_independent_of_a_failed_one(data: Source, tmp_path: Path) -> None:
    root, flag, log = tmp_path / "work", tmp_path / "flag", tmp_path / "log"
    flag.touch()
    one, two = (step(failing, name=name, runtime={"flag": flag}) for name in "ab")
    after = step(total, one, runtime={"log": log})
    with pytest.raises(FailedStepsError, match=r"2 of 7 .*failing-a \(Zero.*failing-b"):
        run([after, two, diamond(data, log)], root, keep_going=True)
    assert calls(log) == ["number-top", "total-left", "total-right", "total-goal"]
    flag.unlink()
    run([after, two], root, keep_going=True)
    assert is_done(after, root) and is_done(two, root)


def test_failed_step_is_resumed_up_to_retries(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, flag = tmp_path / "log", tmp_path / "flag"
    once = step(failing_at_first, how="error", runtime={"log": log})
    run(once, tmp_path / "work", retries=1)
    assert calls(log) == ["failing_at_first"] * 2 and "it is tried again" in capfd.readouterr().err
    flag.touch()
    never = step(failing, runtime={"flag": flag})
    with pytest.raises(FailedStepsError, match="by the flag; tried 3 times"):
        run(never, tmp_path / "work", keep_going=True, retries=2)
    with pytest.raises(ZeroDivisionError, match="by the flag"):
        run(never, tmp_path / "work", retries=1)
    assert "tried twice" in capfd.readouterr().err
    with pytest.raises(ConfigError, match="retries is -1; allowed"):
        run(never, tmp_path / "work", retries=-1)


def test_config_error_is_not_retried(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="never"):
        run(
            step(failing_at_first, how="config", runtime={"log": tmp_path / "log"}),
            tmp_path,
            retries=3,
        )
    assert len(calls(tmp_path / "log")) == 1


def test_ctrl_c_keeps_the_unfinished_folder(tmp_path: Path, launch: Launch) -> None:
    goal, root = slow_step(tmp_path), tmp_path / "work"
    process = launch(make, slow_step, tmp_path).until((part_of(goal, root) / "ticks").exists)
    assert process.signal(signal.SIGINT).wait().status != 0
    message = process.err.read_text()
    assert "[1/1] slow stopped after" in message
    assert "the same command resumes from there" in message
    assert (part_of(goal, root) / "ticks").exists() and not list(root.glob("*.lock"))


def test_progress_is_on_stderr_only(
    data: Source, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(diamond(data, tmp_path / "log"), tmp_path / "work")
    out, err = capfd.readouterr()
    assert not out and "[2/4] total-left ..." in err and "[2/4] total-left done in " in err
    run(diamond(data, tmp_path / "log", plus=1.0), tmp_path / "work")
    assert "2 of 4 steps are done already" in capfd.readouterr().err


def test_damaged_step_json_is_an_error(tmp_path: Path) -> None:
    goal = slow_step(tmp_path)
    begin(goal, tmp_path)
    for text in ("{", "[]", "{}", '{"id": 3}'):
        (part_of(goal, tmp_path) / "step.json").write_text(text)
        with pytest.raises(DataError, match=r"step.json: (is no JSON|was not written)"):
            run(goal, tmp_path)


def test_run_on_ranks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="once for each GPU"):
        run(slow_step(tmp_path), tmp_path)


def test_renamed_step_runs_again(data: Source, tmp_path: Path) -> None:
    goal = diamond(data, tmp_path / "log")
    run([goal, replace(goal, name="renamed")], tmp_path / "work")
    assert calls(tmp_path / "log")[3:] == ["total-goal", "renamed"]
