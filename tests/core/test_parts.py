"""Temporary files and folders: names of our own, and only ours are ever removed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltag.core.errors import OutputError
from reeltag.core.files import (
    check_files_folder,
    check_new_file,
    check_new_path,
    files_into,
    hold_result,
    scratch_folder,
    whole_file,
    whole_folder,
)
from reeltag.core.parts import is_part, lock_path, new_part, part_name, remove_dead_parts
from tests.processes import Launch, die


def _killed_in_a_file(path: Path) -> None:
    with whole_file(path) as part:
        part.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def _killed_in_a_folder(path: Path) -> None:
    with whole_folder(path) as part:
        (part / "inner").mkdir()
        (part / "inner" / "file").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def _write_file(path: Path) -> None:
    with whole_file(path) as part:
        part.write_text("whole")


def _write_folder(path: Path) -> None:
    with whole_folder(path) as part:
        (part / "file").write_text("whole")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("write", [_write_file, _write_folder])
def test_names_that_are_not_ours_are_left_alone(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    thesis = tmp_path / "out.part" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    (tmp_path / ".out.reeltag-part").write_text("precious")
    (tmp_path / ".out.123.reeltag-part").write_text("precious")
    before = _names(tmp_path)
    write(tmp_path / "out")
    assert thesis.read_text() == "precious"
    assert _names(tmp_path) == sorted([*before, "out"])


def test_links_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    words = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(words))
    (tmp_path / f".out.{'0' * 16}.reeltag-part").symlink_to(other)
    with new_part(tmp_path / "out") as part:
        assert part.name == f".out.{'1' * 16}.reeltag-part"
        part.write_text("new")
    assert other.read_text() == "precious"


def test_link_as_a_part_of_a_dead_process_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "folder" / "precious"
    precious.parent.mkdir()
    precious.write_text("precious")
    (tmp_path / part_name("out")).symlink_to(precious)
    (tmp_path / part_name("out")).symlink_to(precious.parent)
    _write_folder(tmp_path / "out")
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(
    ("kill", "write"),
    [(_killed_in_a_file, _write_file), (_killed_in_a_folder, _write_folder)],
)
def test_part_of_a_killed_process_is_removed_by_the_next(
    tmp_path: Path,
    launch: Launch,
    kill: Callable[[Path], None],
    write: Callable[[Path], None],
) -> None:
    folder = tmp_path / "results"
    assert launch(kill, folder / "out").wait().status == -signal.SIGKILL
    assert launch(kill, folder / "other").wait().status == -signal.SIGKILL
    left = [name for name in _names(folder) if is_part(name)]
    assert len(left) == 2
    launch(write, folder / "out").result()
    stays = [name for name in left if name.startswith(".other.")]
    assert [name for name in _names(folder) if is_part(name)] == stays  # of another result
    assert (folder / "out").exists()


def _write_locked_file(path: Path) -> None:
    with hold_result(path):
        _write_file(path)


def _write_files_into(folder: Path) -> None:
    with files_into(folder) as part:
        (part / "file").write_text("whole")


def _until_released(write: Callable[[Path], None], path: Path) -> None:
    pytest.MonkeyPatch().setattr("reeltag.core.locks.Lock.release", die)
    write(path)


def _check_file(path: Path) -> None:
    check_new_file(path, "--out FILE", overwrite=False)


def _check_folder(folder: Path) -> None:
    check_files_folder(folder, "--out FOLDER", overwrite=False)


@pytest.mark.parametrize(
    ("write", "check"),
    [
        (_write_folder, check_new_path),
        (_write_locked_file, _check_file),
        (_write_files_into, _check_folder),
    ],
)
def test_lock_of_a_process_killed_after_its_work_is_removed(
    tmp_path: Path,
    launch: Launch,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> None:
    killed = launch(_until_released, write, tmp_path / "out").wait()
    assert killed.status == -signal.SIGKILL
    assert _names(tmp_path) == [".out.reeltag-lock", "out"]
    with pytest.raises(OutputError, match="already"):
        check(tmp_path / "out")
    assert _names(tmp_path) == ["out"]


def _killed_in_files_into(folder: Path) -> None:
    with files_into(folder) as part:
        (part / "file").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_folder_with_nothing_but_what_a_kill_left_is_written_to(
    tmp_path: Path, launch: Launch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    assert launch(_killed_in_files_into, folder).wait().status == -signal.SIGKILL
    assert len(_names(folder)) == 2  # the lock, and a part
    _check_folder(folder)
    assert _names(folder) == []


def test_part_of_a_living_process_is_not_removed(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out") as part, new_part(tmp_path / "out", folder=True) as folder:
        part.write_text("by the first")
        remove_dead_parts(tmp_path)
        with hold_result(tmp_path / "out"):
            assert part.read_text() == "by the first" and folder.is_dir()
    assert (tmp_path / "out").read_text() == "by the first"


def test_part_taken_for_a_dead_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, raced = os.open, list[str]()

    def opened(path: str | Path, flags: int, mode: int = 0o777) -> int:
        file = real(path, flags, mode)
        if is_part(Path(path).name) and flags & os.O_EXCL and not raced:
            raced.append(Path(path).name)
            Path(path).unlink()  # by a process that found it between our opening and our locking
        return file

    monkeypatch.setattr(os, "open", opened)
    _write_file(tmp_path / "out")
    assert len(raced) == 1
    assert _names(tmp_path) == ["out"] and (tmp_path / "out").read_text() == "whole"


def test_forked_process_removes_nothing_of_its_parent(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out") as part:
        child = os.fork()
        if not child:
            try:
                raise KeyboardInterrupt
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        part.write_text("whole")
        remove_dead_parts(tmp_path)
        assert part.exists()  # the lock is ours still
    assert (tmp_path / "out").read_text() == "whole"


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "a\nb", ".hidden", "a.b.c"])
def test_names_of_any_length_and_kind(tmp_path: Path, name: str) -> None:
    _write_file(tmp_path / name)
    with whole_folder(tmp_path / "folder" / name) as part:
        assert is_part(part.name)
    assert _names(tmp_path) == sorted([name, "folder"])
    assert _names(tmp_path / "folder") == [name]


def test_all_paths_of_a_result_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert lock_path(tmp_path / "run") == lock_path(tmp_path / "link")
    assert lock_path(tmp_path / "link" / "p") == tmp_path / "run" / ".p.reeltag-lock"


def test_files_get_into_a_folder_together(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(RuntimeError), files_into(folder) as part:
        (part / "a").write_text("half")
        raise RuntimeError
    assert not folder.exists()
    with files_into(folder) as part:
        (part / "a").write_text("1")
        assert not folder.exists()
    (folder / "mine").write_text("precious")
    with files_into(folder) as part:
        (part / "a").write_text("2")
        (part / "b").write_text("2")
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "a": "2",
        "b": "2",
        "mine": "precious",
    }
    with files_into(tmp_path / "none"):
        pass
    assert _names(tmp_path) == ["folder"]


def test_second_writer_of_a_folder_names_the_first(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as part:
        with (
            pytest.raises(OutputError, match=rf"out: is in use by process {os.getpid()} on "),
            whole_folder(tmp_path / "out"),
        ):
            pass
        (part / "a").write_text("first")
    assert (tmp_path / "out" / "a").read_text() == "first"


def _killed_in_scratch() -> None:
    with scratch_folder() as folder:
        (folder / "file").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_scratch_folder_of_a_killed_process_is_removed_by_the_next(
    tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    assert launch(_killed_in_scratch).wait().status == -signal.SIGKILL
    (left,) = (tmp_path / "tmp").iterdir()
    assert is_part(left.name)
    with scratch_folder() as folder:
        assert folder != left and not left.exists()
        assert folder.stat().st_mode & 0o077 == 0
    assert not _names(tmp_path / "tmp")
