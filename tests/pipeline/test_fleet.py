"""Several workers: each step once, failures retried and named, Ctrl-C clean, the rest made."""

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
from reeltag.pipeline import engines, local
from reeltag.pipeline.events import Event
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.fleet import run_fleet
from reeltag.pipeline.local import Local, places, threads_each
from reeltag.pipeline.locks import attempted
from reeltag.pipeline.orders import log_of, order
from reeltag.pipeline.steps import Source, Step, source, step, step_function
from reeltag.pipeline.store import folder_of, is_done, lock_of, part_of, read_record
from tests.pipeline.made import (
    calls,
    costly,
    diamond,
    failing,
    failing_at_first,
    meeting,
    slow,
    total,
    value,
    wait_for,
)
from tests.processes import Launch


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "visible_gpus", list)


@pytest.fixture
def data(tmp_path: Path) -> Source:
    (tmp_path / "data.txt").write_text("4")
    return source(tmp_path / "data.txt", "four")


@pytest.fixture
def two() -> Iterator[Local]:
    with closing(Local(2)) as engine:
        yield engine


def two_slow(folder: Path) -> list[Step]:
    """Return two steps that wait in the middle for the folder's gate."""
    runtime = {"log": folder / "log", "gate": folder / "gate"}
    return [step(slow, name=name, ticks=5, runtime=runtime) for name in ("a", "b")]


def make_two_slow(folder: Path) -> None:
    engines.make(two_slow(folder), folder / "work", workers=2)


def ticks(steps: list[Step], root: Path) -> list[int]:
    files = [
        folder / "ticks" for of in steps for folder in (folder_of(of, root), part_of(of, root))
    ]
    told = [int(file.read_text()) if file.exists() else 0 for file in files]
    return [max(pair) for pair in zip(told[::2], told[1::2], strict=True)]


def workers_of(steps: list[Step], root: Path) -> list[int]:
    """Return the processes that hold the locks of steps."""
    return [json.loads(lock_of(of, root).read_text())["pid"] for of in steps]


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_graph_is_made_as_by_one_process(data: Source, tmp_path: Path, two: Local) -> None:
    goal, root, seen = diamond(data, tmp_path / "log"), tmp_path / "work", list[Event]()
    run_fleet(goal, root, two, seen.append)
    assert value(folder_of(goal, root)) == 4 * 0.5 * 2 + 7
    assert sorted(calls(tmp_path / "log")) == [
        "number-top",
        "total-goal",
        "total-left",
        "total-right",
    ]
    assert [event.kind for event in seen].count("done") == 4
    assert {event.place for event in seen if event.step} <= {"worker 1", "worker 2"}
    run_fleet(goal, root, two, seen.append)
    assert len(calls(tmp_path / "log")) == 4 and seen[-1].kind == "there"


def test_steps_are_made_at_the_same_time_each_with_its_share_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(local, "visible_gpus", lambda: ["3", "5"])
    runtime = {"folder": tmp_path}
    goals = [step(meeting, mine=a, other=b, runtime=runtime) for a, b in (("x", "y"), ("y", "x"))]
    engines.make(goals, tmp_path / "work")
    said = [json.loads((folder_of(g, tmp_path / "work") / "said.json").read_text()) for g in goals]
    assert {one["OMP_NUM_THREADS"] for one in said} == {"3"}
    assert sorted(one["CUDA_VISIBLE_DEVICES"] for one in said) == ["3", "5"]
    assert len({one["pid"] for one in said} | {os.getpid()}) == 3


def test_workers_are_named_after_their_gpus_which_more_of_them_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert places(0) == ["worker 1"] and places(2) == ["worker 1", "worker 2"]
    monkeypatch.setattr(local, "visible_gpus", lambda: ["2", "3"])
    assert places(0) == ["gpu 2", "gpu 3"] and places(1) == ["gpu 2"]
    assert places(3) == ["gpu 2", "gpu 3", "gpu 2 (2)"]
    with pytest.raises(ConfigError, match="workers: must be >= 0, got -1"):
        places(-1)


def test_threads_that_a_person_has_set_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = threads_each(3, cores=8)
    assert found["OMP_NUM_THREADS"] == "7" and found["MKL_NUM_THREADS"] == "2"


@pytest.mark.parametrize(("how", "why"), [("error", "at first"), ("process", "ended by SIGKILL")])
def test_what_fails_is_gone_on_with_by_another_worker(
    how: str, why: str, tmp_path: Path, two: Local
) -> None:
    seen, root = list[Event](), tmp_path / "work"
    goal = step(failing_at_first, how=how, runtime={"log": tmp_path / "log"})
    run_fleet(goal, root, two, seen.append, retries=1)
    assert [event.kind for event in seen] == ["there", "begun", "again", "resumed", "done"]
    assert why in seen[2].words and seen[2].place != seen[3].place
    record = read_record(folder_of(goal, root))
    assert record is not None and record.sessions == 2


def test_what_fails_for_good_is_named_with_its_tries_and_the_rest_is_made(
    data: Source, tmp_path: Path, two: Local, capfd: pytest.CaptureFixture[str]
) -> None:
    root, flag, log = tmp_path / "work", tmp_path / "flag", tmp_path / "log"
    flag.touch()
    bad = step(failing, name="bad", runtime={"flag": flag})
    after = step(total, bad, name="after", runtime={"log": log})
    good = diamond(data, log)
    with pytest.raises(FailedStepsError) as caught:
        run_fleet([after, good], root, two, keep_going=True, retries=1)
    words = str(caught.value)
    assert "1 of 6 steps failed: failing-bad (ZeroDivisionError: by the flag; tried twice)" in words
    assert "not made for that: total-after" in words and f"{root}/logs" in words
    assert is_done(good, root) and "failing-bad on worker" in capfd.readouterr().err
    assert "Traceback" in log_of(bad, root).read_text()
    flag.unlink()
    run_fleet([after, good], root, two)
    assert is_done(after, root)


def test_after_a_failure_nothing_begins_but_what_is_at_work_is_finished(
    tmp_path: Path, two: Local
) -> None:
    root, flag, log = tmp_path / "work", tmp_path / "flag", tmp_path / "log"
    flag.touch()
    gate = tmp_path / "gate"
    bad = step(failing, name="bad", runtime={"flag": flag, "after": log})
    long = step(slow, name="long", ticks=5, runtime={"log": log, "gate": gate})
    later = [step(total, plus=float(n), name=f"later-{n}", runtime={"log": log}) for n in range(3)]

    def finish(event: Event) -> None:
        if event.kind == "failed":
            gate.touch()

    with pytest.raises(FailedStepsError, match="bad.*tried once.*not made for that: total-later-0"):
        run_fleet([bad, long, *later], root, two, finish)
    assert calls(log) == ["slow-long"] and is_done(long, root)


def test_what_cannot_be_built_is_not_tried_again(tmp_path: Path, two: Local) -> None:
    goal = step(failing_at_first, how="config", runtime={"log": tmp_path / "log"})
    with pytest.raises(FailedStepsError, match=r"ConfigError: never; tried once"):
        run_fleet(goal, tmp_path / "work", two, lambda _: None, retries=5)


def test_what_another_process_makes_is_waited_for(tmp_path: Path, two: Local) -> None:
    goal = step(total, runtime={"log": tmp_path / "log"})
    root, seen = tmp_path / "work", list[Any]()
    with attempted(lock_of(goal, root)) as ours:
        assert ours

        def other(event: Event) -> None:
            seen.append(event)
            if event.kind == "waiting":
                folder_of(goal, root).mkdir(parents=True)

        run_fleet(goal, root, two, other)
    assert [event.kind for event in seen] == ["there", "waiting"]
    assert f"process {os.getpid()} on" in seen[1].words and calls(tmp_path / "log") == []


def test_the_log_keeps_what_a_step_says(tmp_path: Path, two: Local) -> None:
    goal = step(failing_at_first, how="error", runtime={"log": tmp_path / "log"})
    run_fleet(goal, tmp_path / "work", two, lambda _: None, retries=1)
    text = log_of(goal, tmp_path / "work").read_text()
    assert text.count("a word of mine") == 2 and "ZeroDivisionError: at first" in text


def test_ctrl_c_stops_every_worker_and_the_next_call_goes_on(
    tmp_path: Path, launch: Launch
) -> None:
    goals, root = two_slow(tmp_path), tmp_path / "work"
    process = launch(make_two_slow, tmp_path).until(lambda: ticks(goals, root) == [3, 3])
    workers = workers_of(goals, root)
    assert process.signal(signal.SIGINT).wait().status != 0
    words = process.err.read_text()
    assert "the same command goes on (2 of 2 steps are to do)" in words
    assert words.count("stopped after") == 2 and not any(map(is_alive, workers))
    assert ticks(goals, root) == [3, 3] and not list(root.glob("*.lock"))
    (tmp_path / "gate").touch()
    make_two_slow(tmp_path)
    assert all(value(folder_of(of, root)) == 5 for of in goals)
    records = [read_record(folder_of(of, root)) for of in goals]
    assert [record and record.sessions for record in records] == [2, 2]


def test_workers_stop_when_the_one_who_gives_orders_is_killed(
    tmp_path: Path, launch: Launch
) -> None:
    goals, root = two_slow(tmp_path), tmp_path / "work"
    process = launch(make_two_slow, tmp_path).until(lambda: ticks(goals, root) == [3, 3])
    workers = workers_of(goals, root)
    process.kill()
    wait_for(lambda: not any(map(is_alive, workers)))
    assert all(part_of(of, root).is_dir() for of in goals)


def test_a_step_can_be_sent_and_keeps_its_key(data: Source, tmp_path: Path) -> None:
    first = step(costly, seconds=3.0, bytes_=7)
    sent = pickle.loads(pickle.dumps(first))
    assert sent.folder_name == first.folder_name and sent.config == first.config
    opened, root = order(first, tmp_path).opened()
    assert opened.estimate() == first.estimate() and root == tmp_path


def test_a_function_that_no_worker_finds_is_refused(tmp_path: Path) -> None:
    def local_function(out: Path) -> None:
        """Stand in no module under a name that leads there."""

    local_function.__qualname__ = "gone"
    step_function("local_function", version=1)(local_function)
    with pytest.raises(ConfigError, match="cannot be sent to another process"):
        order(step(local_function), tmp_path)
    local_function.__module__ = "__main__"
    with pytest.raises(ConfigError, match="gone stands in the program itself"):
        order(step(local_function), tmp_path)
