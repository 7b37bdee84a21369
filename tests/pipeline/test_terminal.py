"""Several workers on one terminal: a line each; in a log, a word of each now and then."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from reeltag.pipeline import terminal
from reeltag.pipeline.events import Event
from reeltag.pipeline.orders import log_of
from reeltag.pipeline.steps import Step, step
from reeltag.pipeline.terminal import Display, last_line
from tests.pipeline.made import total

NOW = 1000.0  # the clock stands still


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


def test_a_terminal_has_a_line_for_each_worker(
    tmp_path: Path, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "STDERR", Console(file=shown, force_terminal=True, width=80))
    with Display(tmp_path) as display:
        display.show({"gpu 0": (steps[0], NOW), "gpu 1": (steps[1], NOW - 75)}, total=9, done=4)
    text = shown.getvalue()
    assert "4 of 9 steps, 2 at work" in text and "step 4 [fast]" in text
    line = next(line for line in text.splitlines() if "total-b" in line)
    assert "gpu 1" in line and "1 min 15 s" in line and "step 5 [fast]" in line


def test_a_log_has_a_word_of_each_worker_only_now_and_then(
    tmp_path: Path, steps: list[Step], capfd: pytest.CaptureFixture[str]
) -> None:
    with Display(tmp_path) as display:
        display.tell(Event(kind="begun", step=steps[0], number=1, total=2, place="gpu 0"))
        for seconds in (0.0, 75.0, 80.0):
            display.show({"gpu 0": (steps[0], NOW - seconds)}, total=9, done=4)
    lines = capfd.readouterr().err.splitlines()
    assert lines == ["[1/2] total-a on gpu 0 ...", "gpu 0, total-a: step 4 [fast]"]


def test_the_last_line_of_a_log_is_found_in_a_long_or_missing_one(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none") == ""
    (tmp_path / "log").write_text("x\n" * 100_000 + "the end\n")
    assert last_line(tmp_path / "log") == "the end"
