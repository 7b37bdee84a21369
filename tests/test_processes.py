"""Processes of tests are gone after the test, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.processes import Launch, is_alive, program, run_program, wait_until


def wait_forever(folder: Path) -> None:
    """Start a process that ends as little as this one does."""
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    child = subprocess.Popen(command, start_new_session=True)
    (folder / "part").write_text(str(child.pid))
    (folder / "part").rename(folder / "child")
    signal.pause()


def learn(words: str) -> float:
    """Compute a gradient, as a training does."""
    print(words)
    weight = torch.ones(3, requires_grad=True)
    (weight**2).sum().backward()
    assert weight.grad is not None
    return float(weight.grad.sum())


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc tells of processes")
def test_launched_processes_are_gone_with_their_children_after_a_failure(tmp_path: Path) -> None:
    launch = Launch(tmp_path)
    try:
        started = launch(wait_forever, tmp_path).until((tmp_path / "child").exists)
        child = int((tmp_path / "child").read_text())
        os.kill(child, 0)
    finally:
        launch.close()
    assert launch.left() == []
    with pytest.raises(ProcessLookupError):
        os.kill(started.pid, 0)


def test_launched_process_returns_what_its_function_does(launch: Launch) -> None:
    assert learn("here") == 6
    started = launch(learn, "there")
    assert started.result() == 6 and started.out.read_text() == "there\n"


def test_waiting_for_what_never_comes_ends_with_the_process(launch: Launch) -> None:
    with pytest.raises(AssertionError, match=r"it ended with 1:(.|\n)*TypeError"):
        launch(learn).until(lambda: False)


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc tells of processes")
def test_program_is_gone_with_its_children_after_a_failure() -> None:
    children = list[int]()

    def fail() -> None:
        script = "setsid sleep infinity & echo $!; wait"
        with program(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as started:
            assert started.stdout is not None
            children.extend([int(started.stdout.readline()), started.pid])
            assert all(map(is_alive, children))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(children) == 2 and not any(map(is_alive, children))


def test_program_that_is_run_leaves_no_child_and_ends_as_it_should() -> None:
    done = run_program(["sh", "-c", "sleep infinity >/dev/null 2>&1 & echo $!; echo words >&2"])
    assert done.stderr == "words\n" and not is_alive(int(done.stdout))
    assert run_program(["sh", "-c", "exit 3"], statuses=(3,)).returncode == 3
    with pytest.raises(AssertionError, match="it ended with 3: why"):
        run_program(["sh", "-c", "echo why >&2; exit 3"])


def test_waiting_forever_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.processes.HANG_S", 0.0)
    wait_until(lambda: True)
    with pytest.raises(AssertionError, match="did not come about"):
        wait_until(lambda: False)
