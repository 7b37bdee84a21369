"""Cleanup: folders of other graphs are removed, all else stays."""

from pathlib import Path

import pytest

from reeltag.core.locks import try_lock
from reeltag.pipeline.cleanup import remove, unused_folders
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, source, step
from reeltag.pipeline.store import begin, folder_of, lock_of, part_of
from tests.pipeline.synthetic_steps import diamond, folders, total


@pytest.fixture
def graphs(tmp_path: Path) -> tuple[Step, Step]:
    (tmp_path / "data.txt").write_text("4")
    data = source(tmp_path / "data.txt", "four")
    return diamond(data, tmp_path / "log"), diamond(data, tmp_path / "log", plus=1.0)


def test_cleanup_removes_only_what_the_graph_does_not_need(
    graphs: tuple[Step, Step], tmp_path: Path
) -> None:
    old, new = graphs
    root = tmp_path / "work"
    run([old, new], root)
    unfinished = step(total, name="old", runtime={"log": tmp_path / "log"})
    wanted = step(total, new, name="new", runtime={"log": tmp_path / "log"})
    begin(unfinished, root)
    begin(wanted, root)
    for name in ("notes", "mine-0123456789ab"):  # no step.json: not ours
        (root / name).mkdir()
    found = unused_folders(wanted, root)
    left = old.needs[0]
    assert isinstance(left, Step)
    gone = {folder_of(old, root), folder_of(left, root), part_of(unfinished, root)}
    assert {unused.folder for unused in found} == gone
    assert all(unused.bytes > 0 and not unused.holder for unused in found)
    before = set(folders(root))
    assert all(remove(unused) for unused in found)
    assert before - set(folders(root)) == {path.name for path in gone}
    assert unused_folders(wanted, root) == []


def test_cleanup_keeps_a_folder_in_use(graphs: tuple[Step, Step], tmp_path: Path) -> None:
    old, new = graphs
    begin(old, tmp_path)
    with try_lock(lock_of(old, tmp_path)):
        (found,) = unused_folders(new, tmp_path)
        assert found.holder.startswith("process ") and not remove(found)
        assert part_of(old, tmp_path).is_dir()


def test_cleanup_completes_a_killed_removal(graphs: tuple[Step, Step], tmp_path: Path) -> None:
    old, _ = graphs
    run(old, tmp_path / "work")
    folder = folder_of(old, tmp_path / "work")
    trash = folder.rename(folder.with_name(f"{folder.name}.trash"))
    (found,) = unused_folders(old, tmp_path / "work")
    assert found.folder == trash and remove(found) and not trash.exists()


def test_cleanup_finds_nothing_without_a_folder(graphs: tuple[Step, Step], tmp_path: Path) -> None:
    assert unused_folders(graphs[0], tmp_path / "nowhere") == []
