"""Workers: outcomes of work that returns, raises, crashes, is killed, hangs; and orphans."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reeltag.core.errors import ConfigError, DataError, ReeltagError
from reeltag.library.extraction import worker_process
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome, WorkerPool
from tests.processes import HANG_S, is_alive, program, wait_until

PATIENT = {"limit_s": HANG_S, "quiet_s": HANG_S}


def prepare(add: int) -> Callable[[Any, Callable[..., None]], Any]:
    """Return work: numbers are added to, words say what to do."""

    def work(payload: Any, report: Callable[..., None]) -> Any:
        if isinstance(payload, signal.Signals):
            os.kill(os.getpid(), payload)
        if isinstance(payload, int):
            return payload + add, os.getpid()
        if payload == "raise":
            return 1 // 0
        if payload == "refuse":
            raise DataError("is empty", where="film.mp4")
        if payload == "exit":
            os._exit(3)
        if payload == "hang":
            signal.pause()
        if payload == "report":
            for number in range(6):
                time.sleep(0.1)  # or all would be heard at once
                report(number, 0.6 if number == 5 else 0.0)
            time.sleep(0.1)
        if isinstance(payload, Path):
            (payload / str(os.getpid())).touch()
            wait_until(lambda: len([*payload.iterdir()]) == 2)
            return os.getpid()
        return None

    return work


def refuse() -> Any:
    """Raise an error for people where a worker is prepared."""
    raise ConfigError("there is no encoder 'x'", hint="Take another.")


def die() -> Any:
    """End the process where a worker is prepared."""
    print("no library", file=sys.stderr)
    os._exit(7)


def outcomes(payloads: list[Any], workers: int = 1) -> dict[str, TaskOutcome]:
    tasks = [PoolTask(key=str(at), payload=of, **PATIENT) for at, of in enumerate(payloads)]
    with WorkerPool(prepare, (10,), workers=workers) as pool:
        return {outcome.key: outcome for outcome in pool.run(tasks)}


def test_failed_tasks_leave_others_as_they_are() -> None:
    killing = [signal.SIGSEGV, "exit", signal.SIGKILL]
    found = outcomes([1, "raise", 2, "refuse", 3, *killing, 4])
    assert [found[key].value[0] for key in "0248"] == [11, 12, 13, 14]
    failures = {key: (found[key].failure, found[key].message) for key in "13567"}
    assert failures["1"] == ("error", "ZeroDivisionError: integer division or modulo by zero")
    assert "1 // 0" in found["1"].detail
    assert failures["3"] == ("error", "film.mp4: is empty")
    assert isinstance(found["3"].error, DataError) and found["3"].error.where == "film.mp4"
    assert failures["5"] == ("died", "its process crashed (SIGSEGV)")
    assert failures["6"] == ("died", "its process ended with status 3")
    assert failures["7"] == ("died", "its process was killed (SIGKILL; out of memory?)")


def test_worker_is_kept_for_the_next_task_and_replaced_after_a_crash() -> None:
    found = outcomes([1, 2, "raise", 3, "exit", 4])
    pids = [found[key].value[1] for key in "0135"]
    assert pids[0] == pids[1] == pids[2] != pids[3]


@pytest.mark.parametrize("limit", ["limit_s", "quiet_s"])
def test_task_that_takes_too_long_or_is_silent_is_stopped(limit: str) -> None:
    tasks = [
        PoolTask(key="0", payload="hang", **{**PATIENT, limit: 0.5}),
        PoolTask(key="1", payload=5, **PATIENT),
    ]
    with WorkerPool(prepare, (10,)) as pool:
        found = {outcome.key: outcome for outcome in pool.run(tasks)}
    assert found["0"].failure == "timed out"
    assert "took too long" in found["0"].message
    assert found["1"].value[0] == 15


def test_reports_are_heard_and_renew_or_change_the_quiet_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that goes on with each report: nearly as far as the limit allows."""
    now, heard = 0.0, list[tuple[str, Any]]()
    monkeypatch.setattr(worker_process, "time", SimpleNamespace(monotonic=lambda: now))

    def hear(key: str, value: Any) -> None:
        nonlocal now
        heard.append((key, value))
        now += 0.55 if value == 5 else 0.35

    with WorkerPool(prepare, (0,)) as pool:
        (found,) = pool.run([PoolTask(key="long", payload="report", quiet_s=0.4)], hear)
    assert heard == [("long", number) for number in range(6)]
    assert not found.failure and found.seconds == pytest.approx(5 * 0.35 + 0.55)


def test_several_workers_work_at_the_same_time(tmp_path: Path) -> None:
    """Two tasks that wait for each other."""
    found = outcomes([tmp_path, tmp_path, 1], workers=2)
    assert found["0"].value != found["1"].value  # processes
    assert found["2"].value[0] == 11


def test_error_for_people_in_preparation_reaches_the_caller() -> None:
    with WorkerPool(refuse) as pool, pytest.raises(ConfigError, match="no encoder 'x'") as caught:
        list(pool.run([PoolTask(key="a", payload=1)]))
    assert caught.value.hint == "Take another."


def test_worker_that_never_starts_is_an_error_with_its_last_line() -> None:
    with WorkerPool(die) as pool, pytest.raises(ReeltagError, match="status 7: no library"):
        list(pool.run([PoolTask(key="a", payload=1)]))


def test_number_of_workers_is_checked() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        WorkerPool(prepare, workers=0)


def test_worker_ends_with_its_parent_even_while_it_hangs(tmp_path: Path) -> None:
    code = f"""
import sys
from tests.library.extraction.test_worker_process import hanging
from reeltag.library.extraction.worker_process import PoolTask, WorkerPool
with WorkerPool(hanging, ({str(tmp_path)!r},)) as pool:
    list(pool.run([PoolTask(key="a", payload=None)]))
"""
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with program([sys.executable, "-c", code], environment=environment) as parent:
        file = tmp_path / "pid"
        wait_until(lambda: parent.poll() is not None or (file.exists() and file.read_text() != ""))
        worker = int(file.read_text())
        parent.kill()
        parent.wait()
        wait_until(lambda: not is_alive(worker))


def hanging(folder: str) -> Any:
    """Return work that tells its process and then never ends."""

    def work(payload: Any, report: Any) -> None:
        Path(folder, "pid").write_text(str(os.getpid()), encoding="utf-8")
        while True:
            signal.pause()

    return work
