"""Processes of tests are gone after the test, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.processes import Launch


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
