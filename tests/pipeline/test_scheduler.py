"""Several workers: each step runs once, failures are retried and named, Ctrl-C stops them all."""

import json
import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.core.locks import try_lock
from reeltag.pipeline import engines, local_engine
from reeltag.pipeline.events import Event
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.local_engine import LocalEngine, thread_variables, worker_names
from reeltag.pipeline.scheduler import run_on_workers
from reeltag.pipeline.steps import Source, Step, source, step, step_function
from reeltag.pipeline.store import folder_of, is_done, lock_of, part_of, read_record
from reeltag.pipeline.tasks import create_task, log_of
from tests.pipeline.synthetic_steps import (
    calls,
    costly,
    diamond,
    failing,
    failing_at_first,
    meeting,
    slow,
    total,
    value,
)
from tests.processes import Launch, is_alive, wait_until


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_engine, "visible_gpus", list)


@pytest.fixture
def data(tmp_path: Path) -> Source:
    (tmp_path / "data.txt").write_text("4")
    return source(tmp_path / "data.txt", "four")


@pytest.fixture
def two() -> Iterator[LocalEngine]:
    with closing(LocalEngine(2)) as engine:
        yield engine


def two_slow(folder: Path) -> list[Step]:
    """Return two steps that wait in the middle for the folder's gate."""
    runtime = {"log": folder / "log", "gate": folder / "gate"}
    return [step(slow, name=name, ticks=5, runtime=runtime) for name in ("a", "b")]


def make_two_slow(folder: Path) -> None:
    engines.run_steps(two_slow(folder), folder / "work", workers=2)


def ticks(steps: list[Step], root: Path) -> list[int]:
    files = [
        folder / "ticks" for of in steps for folder in (folder_of(of, root), part_of(of, root))
    ]
    counts = [int(file.read_text()) if file.exists() else 0 for file in files]
    return [max(pair) for pair in zip(counts[::2], counts[1::2], strict=True)]


def workers_of(steps: list[Step], root: Path) -> list[int]:
    """Return the processes that hold the locks of steps."""
    return [json.loads(lock_of(of, root).read_text())["pid"] for of in steps]


def test_scheduler_gives_result_of_one_process(
    data: Source, tmp_path: Path, two: LocalEngine
) -> None:
    goal, root, seen = diamond(data, tmp_path / "log"), tmp_path / "work", list[Event]()
    run_on_workers(goal, root, two, seen.append)
    assert value(folder_of(goal, root)) == 4 * 0.5 * 2 + 7
    assert sorted(calls(tmp_path / "log")) == [
        "number-top",
        "total-goal",
        "total-left",
        "total-right",
    ]
    assert [event.kind for event in seen].count("done") == 4
    assert {event.worker for event in seen if event.step} <= {"worker 1", "worker 2"}
    run_on_workers(goal, root, two, seen.append)
    assert len(calls(tmp_path / "log")) == 4 and seen[-1].kind == "present"


def test_workers_run_at_the_same_time_and_divide_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local_engine, "usable_cores", lambda: 6)
    monkeypatch.setattr(local_engine, "visible_gpus", lambda: ["3", "5"])
    runtime = {"folder": tmp_path}
    goals = [step(meeting, mine=a, other=b, runtime=runtime) for a, b in (("x", "y"), ("y", "x"))]
    engines.run_steps(goals, tmp_path / "work")
    files = [folder_of(goal, tmp_path / "work") / "environment.json" for goal in goals]
    found = [json.loads(file.read_text()) for file in files]
    assert {one["OMP_NUM_THREADS"] for one in found} == {"3"}
    assert sorted(one["CUDA_VISIBLE_DEVICES"] for one in found) == ["3", "5"]
    assert len({one["pid"] for one in found} | {os.getpid()}) == 3


def test_worker_names_follow_gpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert worker_names(0) == ["worker 1"] and worker_names(2) == ["worker 1", "worker 2"]
    monkeypatch.setattr(local_engine, "visible_gpus", lambda: ["2", "3"])
    assert worker_names(0) == ["gpu 2", "gpu 3"] and worker_names(1) == ["gpu 2"]
    assert worker_names(3) == ["gpu 2", "gpu 3", "gpu 2 (2)"]
    with pytest.raises(ConfigError, match="workers: must be >= 0, got -1"):
        worker_names(-1)


def test_thread_variables_keep_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = thread_variables(3, cores=8)
    assert found["OMP_NUM_THREADS"] == "7" and found["MKL_NUM_THREADS"] == "2"


@pytest.mark.parametrize(("how", "why"), [("error", "at first"), ("process", "ended by SIGKILL")])
def test_failed_step_is_resumed_by_another_worker(
    how: str, why: str, tmp_path: Path, two: LocalEngine
) -> None:
    seen, root = list[Event](), tmp_path / "work"
    goal = step(failing_at_first, how=how, runtime={"log": tmp_path / "log"})
    run_on_workers(goal, root, two, seen.append, retries=1)
    assert [event.kind for event in seen] == ["present", "started", "retrying", "resumed", "done"]
    assert why in seen[2].message and seen[2].worker != seen[3].worker
    record = read_record(folder_of(goal, root))
    assert record is not None and record.sessions == 2


def test_keep_going_names_failed_step_and_runs_others(
    data: Source, tmp_path: Path, two: LocalEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    root, flag, log = tmp_path / "work", tmp_path / "flag", tmp_path / "log"
    flag.touch()
    bad = step(failing, name="bad", runtime={"flag": flag})
    after = step(total, bad, name="after", runtime={"log": log})
    good = diamond(data, log)
    with pytest.raises(FailedStepsError) as caught:
        run_on_workers([after, good], root, two, keep_going=True, retries=1)
    message = str(caught.value)
    assert (
        "1 of 6 steps failed: failing-bad (ZeroDivisionError: by the flag; tried twice)" in message
    )
    assert "not run because of that: total-after" in message and f"{root}/logs" in message
    assert is_done(good, root) and "failing-bad on worker" in capfd.readouterr().err
    assert "Traceback" in log_of(bad, root).read_text()
    flag.unlink()
    run_on_workers([after, good], root, two)
    assert is_done(after, root)


def test_failure_begins_no_step_and_finishes_running_ones(tmp_path: Path, two: LocalEngine) -> None:
    root, flag, log = tmp_path / "work", tmp_path / "flag", tmp_path / "log"
    flag.touch()
    gate = tmp_path / "gate"
    bad = step(failing, name="bad", runtime={"flag": flag, "after": log})
    long = step(slow, name="long", ticks=5, runtime={"log": log, "gate": gate})
    later = [step(total, plus=float(n), name=f"later-{n}", runtime={"log": log}) for n in range(3)]

    def finish(event: Event) -> None:
        if event.kind == "failed":
            gate.touch()

    with pytest.raises(FailedStepsError, match="bad.*tried once.*because of that: total-later-0"):
        run_on_workers([bad, long, *later], root, two, finish)
    assert calls(log) == ["slow-long"] and is_done(long, root)


def test_config_error_is_not_retried(tmp_path: Path, two: LocalEngine) -> None:
    goal = step(failing_at_first, how="config", runtime={"log": tmp_path / "log"})
    with pytest.raises(FailedStepsError, match=r"ConfigError: never; tried once"):
        run_on_workers(goal, tmp_path / "work", two, lambda _: None, retries=5)


def test_scheduler_waits_for_step_of_another_process(tmp_path: Path, two: LocalEngine) -> None:
    goal = step(total, runtime={"log": tmp_path / "log"})
    root, seen = tmp_path / "work", list[Any]()
    with try_lock(lock_of(goal, root)) as ours:
        assert ours

        def other(event: Event) -> None:
            seen.append(event)
            if event.kind == "waiting":
                folder_of(goal, root).mkdir(parents=True)

        run_on_workers(goal, root, two, other)
    assert [event.kind for event in seen] == ["present", "waiting"]
    assert f"process {os.getpid()} on" in seen[1].message and calls(tmp_path / "log") == []


def test_log_keeps_output_of_a_step(tmp_path: Path, two: LocalEngine) -> None:
    goal = step(failing_at_first, how="error", runtime={"log": tmp_path / "log"})
    run_on_workers(goal, tmp_path / "work", two, lambda _: None, retries=1)
    text = log_of(goal, tmp_path / "work").read_text()
    assert text.count("output of the step") == 2 and "ZeroDivisionError: at first" in text


def test_ctrl_c_stops_workers_and_next_call_resumes(tmp_path: Path, launch: Launch) -> None:
    goals, root = two_slow(tmp_path), tmp_path / "work"
    process = launch(make_two_slow, tmp_path).until(lambda: ticks(goals, root) == [3, 3])
    workers = workers_of(goals, root)
    assert process.signal(signal.SIGINT).wait().status != 0
    message = process.err.read_text()
    assert "the same command resumes (2 of 2 steps are to do)" in message
    assert message.count("stopped after") == 2 and not any(map(is_alive, workers))
    assert ticks(goals, root) == [3, 3] and not list(root.glob("*.lock"))
    (tmp_path / "gate").touch()
    make_two_slow(tmp_path)
    assert all(value(folder_of(of, root)) == 5 for of in goals)
    records = [read_record(folder_of(of, root)) for of in goals]
    assert [record and record.sessions for record in records] == [2, 2]


def test_workers_stop_when_their_parent_is_killed(tmp_path: Path, launch: Launch) -> None:
    goals, root = two_slow(tmp_path), tmp_path / "work"
    process = launch(make_two_slow, tmp_path).until(lambda: ticks(goals, root) == [3, 3])
    workers = workers_of(goals, root)
    process.kill()
    wait_until(lambda: not any(map(is_alive, workers)))
    assert all(part_of(of, root).is_dir() for of in goals)


def test_pickled_step_keeps_its_key(data: Source, tmp_path: Path) -> None:
    first = step(costly, seconds=3.0, bytes_=7)
    sent = pickle.loads(pickle.dumps(first))
    assert sent.folder_name == first.folder_name and sent.config == first.config
    opened, root = create_task(first, tmp_path).unpack()
    assert opened.estimate() == first.estimate() and root == tmp_path


def test_function_outside_a_module_is_an_error(tmp_path: Path) -> None:
    def local_function(out: Path) -> None:
        """Have a name that leads nowhere in its module."""

    local_function.__qualname__ = "gone"
    step_function("local_function", version=1)(local_function)
    with pytest.raises(ConfigError, match="cannot be sent to another process"):
        create_task(step(local_function), tmp_path)
    local_function.__module__ = "__main__"
    with pytest.raises(ConfigError, match="gone is defined in the program itself"):
        create_task(step(local_function), tmp_path)
