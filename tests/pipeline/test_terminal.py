"""Progress of several workers: a line each on a terminal; in a log, a line now and then."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from reeltag.pipeline import terminal
from reeltag.pipeline.events import Event
from reeltag.pipeline.steps import Step, step
from reeltag.pipeline.tasks import log_of
from reeltag.pipeline.terminal import Display, last_line
from tests.pipeline.synthetic_steps import total

NOW = 1000.0  # of a fixed clock


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: NOW))


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    found = [step(total, name=name, runtime={"log": tmp_path}) for name in ("a", "b")]
    for number, of in enumerate(found):
        log_of(of, tmp_path).parent.mkdir(exist_ok=True)
        log_of(of, tmp_path).write_text(f"-- a session\nstep 3\nstep {number + 4} [fast]\n\n")
    return found


def test_display_shows_a_line_per_worker(
    tmp_path: Path, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "STDERR", Console(file=shown, force_terminal=True, width=80))
    with Display(tmp_path) as display:
        display.show({"gpu 0": (steps[0], NOW), "gpu 1": (steps[1], NOW - 75)}, total=9, done=4)
    text = shown.getvalue()
    assert "4 of 9 steps done, 2 running" in text and "step 4 [fast]" in text
    line = next(line for line in text.splitlines() if "total-b" in line)
    assert "gpu 1" in line and "1 min 15 s" in line and "step 5 [fast]" in line


def test_display_logs_a_line_per_worker_now_and_then(
    tmp_path: Path, steps: list[Step], capfd: pytest.CaptureFixture[str]
) -> None:
    with Display(tmp_path) as display:
        display.log(Event(kind="started", step=steps[0], number=1, total=2, worker="gpu 0"))
        for seconds in (0.0, 75.0, 80.0):
            display.show({"gpu 0": (steps[0], NOW - seconds)}, total=9, done=4)
    lines = capfd.readouterr().err.splitlines()
    assert lines == ["[1/2] total-a on gpu 0 ...", "gpu 0, total-a: step 4 [fast]"]


def test_last_line_of_a_long_or_missing_log(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none") == ""
    (tmp_path / "log").write_text("x\n" * 100_000 + "the end\n")
    assert last_line(tmp_path / "log") == "the end"
