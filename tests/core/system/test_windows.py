"""Windows, simulated: files, locks, parts, workers and commands in a process that has no POSIX."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from reeltag.core.parts import part_name
from tests.core.system import on_windows
from tests.processes import run_program

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="simulated with Linux's /proc"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the rules of Windows, and one for temporary files next to it."""
    for name in ("tmp", "windows"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path / "windows"


def run(function: str, folder: Path, status: int = 0) -> Any:
    """Return what a function of `on_windows` returns there."""
    module = on_windows.__name__
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, function, str(folder)]
    done = run_program(command, environment=variables, statuses=(status,), cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1]) if not status else None


def test_files_and_folders_appear_whole_and_are_replaced(folder: Path) -> None:
    found, texts, is_symlink = run("write_files", folder)
    whole = ["into", "into/a", "whole", "whole/inner", "whole/inner/file"]
    assert found == sorted(["appended", "file", "link", *whole])
    assert texts == {"file": "second", "into/a": "second", "appended": "first\nsecond\n"}
    assert not is_symlink  # none may be made: it is a hard link


def test_lock_has_one_holder_who_can_be_read_and_leaves_no_file(folder: Path) -> None:
    assert run("hold_a_lock", folder) == [True, False, True, True, True, []]


def test_parts_of_a_dead_process_are_removed_by_the_next(folder: Path) -> None:
    (folder / part_name("file")).touch()  # of an unknown process: without a guard
    run("die_while_writing", folder, status=9)
    num_left, found = run("write_again", folder)
    assert num_left == 7  # that one, two parts with guards, a file in one, and a lock
    assert [name for name in found if not name.startswith(".")] == [
        "file",
        "folder",
        "folder/inner",
    ]
    assert len(found) == 4  # it stays: nothing proves that its process is dead


def test_open_file_is_not_replaced_and_the_error_says_why(folder: Path) -> None:
    words, kept, found = run("replace_an_open_file", folder)
    assert "cannot be written" in words and "A program may have it open" in words
    assert kept == "first" and found == ["file"]


def test_workers_get_their_pipe_and_the_end_of_one_is_named(folder: Path) -> None:
    found = dict(run("use_workers", folder))
    assert (found["a"], found["abc"]) == ([1, ""], [3, ""])
    assert found["abcd"] == [None, "its process ended with status 7"]


def test_commands_go_from_data_to_a_page(folder: Path) -> None:
    assert run("run_commands", folder) == [0, []]
    assert (folder / "out" / "page.html").stat().st_size > 10_000
