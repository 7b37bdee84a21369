"""Kill and full-disk programs: what they find wrong, and a command of each in a few steps."""

from pathlib import Path

import pytest

from benchmarks import full_disk, kill
from benchmarks.results import read_rows
from benchmarks.writers import WRITERS, RunEnd, Writer, contents

SYNTH = next(writer for writer in WRITERS if writer.name == "synth")


def ended(status: int | None, output: str = "") -> RunEnd:
    return RunEnd(status=status, output=output, seconds=0.0)


@pytest.mark.parametrize(
    ("again", "found", "fault"),
    [
        (ended(0), {"a": "1"}, ""),
        (ended(2, "error: a: exists already"), {"a": "1"}, ""),
        (ended(None), {"a": "1"}, "does not end"),
        (ended(2, "error: this should not happen (KeyError)"), {"a": "1"}, "should not happen"),
        (ended(2, "error: another process holds it"), {"a": "1"}, "status 2: error: another"),
        (ended(0), {}, "a is missing"),
        (ended(0), {"a": "1", ".a.part": ""}, ".a.part is left"),
        (ended(0), {"a": "2"}, "a has other bytes"),
    ],
)
def test_what_is_wrong_after_a_kill(again: RunEnd, found: dict[str, str], fault: str) -> None:
    said = kill._fault(SYNTH, again, {"a": "1"}, found)
    assert fault in said and bool(said) == bool(fault)


@pytest.mark.parametrize(
    ("end", "left", "fault"),
    [
        (ended(2, "error: a: cannot be written (No space left on device)"), set(), ""),
        (ended(-7), set(), "dies of signal 7"),
        (ended(None), set(), "does not end"),
        (ended(0), {"a"}, "without all of its files"),
        (ended(2, "error: this should not happen (SafetensorError)"), set(), "not an error for"),
        (ended(1, "KeyError"), set(), "ends with status 1"),
        (ended(2, "error: a: cannot be written"), {".a.0.reeltag-part"}, "leaves .a.0"),
    ],
)
def test_what_is_wrong_on_a_full_disk(end: RunEnd, left: set[str], fault: str) -> None:
    said = full_disk._fault(SYNTH, end, left)
    assert fault in said and bool(said) == bool(fault)


def test_words_name_the_folders() -> None:
    writer = Writer(name="x", arguments="blend IN/p --export csv:OUT/a", again="go OUT/a")
    assert writer.words(Path("/i"), Path("/o")) == ["blend", "/i/p", "--export", "csv:/o/a"]
    assert writer.words(Path("/i"), Path("/o"), again=True) == ["go", "/o/a"]


def test_contents_tell_files_folders_and_links_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    (tmp_path / "c").symlink_to("a/b")
    found = contents(tmp_path)
    assert [*found] == ["a/", "a/b", "c"] and found["c"] == "-> a/b" and found["a/"] == ""


@pytest.mark.slow
def test_killed_commands_go_on(tmp_path: Path) -> None:
    names = ["synth", "predict", "labels"]
    assert kill.main([*names, "--kills", "4", "--save"], tmp_path) == 0
    assert [row["command"] for row in read_rows("kill", folder=tmp_path)] == names


@pytest.mark.slow
@pytest.mark.skipif(not full_disk.can_mount(), reason="no disk can be mounted here")
def test_full_disks_are_said(tmp_path: Path) -> None:
    assert full_disk.main(["labels", "--steps", "4", "--save"], tmp_path) == 0
    (row,) = read_rows("full_disk", folder=tmp_path)
    assert row["sizes"] > 1
