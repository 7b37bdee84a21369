"""Files and folders appear whole or not at all."""

import json
from pathlib import Path

import pytest

from reeltag.core.errors import OutputError
from reeltag.core.files import check_new_path, private_folder, whole_file, whole_folder, write_json
from tests.full_disks import files_up_to


def test_file_is_there_only_after_its_block(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with whole_file(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half"), whole_file(path) as part:
        part.write_text("new")
        raise RuntimeError("half")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_full_disk_raises_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with files_up_to(1024), pytest.raises(OutputError, match="big.json: cannot be written"):
        write_json(path, ["x" * 4096])
    assert not list(tmp_path.iterdir())


def test_folder_is_there_only_after_its_block(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(RuntimeError), whole_folder(path) as part:
        (part / "a").write_text("a")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with whole_folder(path) as part:
        (part / "a").write_text("a")
        assert not path.exists()
    assert (path / "a").read_text() == "a"


def test_existing_output_raises_but_an_empty_folder_does_not(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    check_new_path(path)
    path.mkdir()
    (path / "a").write_text("a")
    with pytest.raises(OutputError, match="exists already"):
        check_new_path(path)
    with pytest.raises(OutputError, match="exists already"), whole_folder(path):
        pass
    assert (path / "a").exists()


def test_json_is_readable_back(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"größe": [1, 2.5, None]})
    assert json.loads((tmp_path / "v.json").read_text()) == {"größe": [1, 2.5, None]}


def test_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(tmp_path / "file" / "v.json", 1)


def test_private_folder_stays_and_is_refused_where_another_user_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = private_folder()
    assert private_folder() == own and own.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to(tmp_path)
    with pytest.raises(OutputError, match="is not this user's"):
        private_folder()
