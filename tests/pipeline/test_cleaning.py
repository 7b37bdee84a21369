"""Cleaning: folders of other graphs go, all else stays."""

from pathlib import Path

import pytest

from reeltag.pipeline.cleaning import leftovers, remove
from reeltag.pipeline.locks import attempted
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, source, step
from reeltag.pipeline.store import begin, folder_of, lock_of, part_of
from tests.pipeline.made import diamond, folders, total


@pytest.fixture
def graphs(tmp_path: Path) -> tuple[Step, Step]:
    (tmp_path / "data.txt").write_text("4")
    data = source(tmp_path / "data.txt", "four")
    return diamond(data, tmp_path / "log"), diamond(data, tmp_path / "log", plus=1.0)


def test_what_the_graph_does_not_need_goes_and_all_else_stays(
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
    found = leftovers(wanted, root)
    left = old.needs[0]
    assert isinstance(left, Step)
    gone = {folder_of(old, root), folder_of(left, root), part_of(unfinished, root)}
    assert {leftover.folder for leftover in found} == gone
    assert all(leftover.bytes > 0 and not leftover.holder for leftover in found)
    before = set(folders(root))
    assert all(remove(leftover) for leftover in found)
    assert before - set(folders(root)) == {path.name for path in gone}
    assert leftovers(wanted, root) == []


def test_a_folder_that_a_process_works_on_stays(graphs: tuple[Step, Step], tmp_path: Path) -> None:
    old, new = graphs
    begin(old, tmp_path)
    with attempted(lock_of(old, tmp_path)):
        (found,) = leftovers(new, tmp_path)
        assert found.holder.startswith("process ") and not remove(found)
        assert part_of(old, tmp_path).is_dir()


def test_a_removal_that_was_killed_is_found_and_ended(
    graphs: tuple[Step, Step], tmp_path: Path
) -> None:
    old, _ = graphs
    run(old, tmp_path / "work")
    folder = folder_of(old, tmp_path / "work")
    trash = folder.rename(folder.with_name(f"{folder.name}.trash"))
    (found,) = leftovers(old, tmp_path / "work")
    assert found.folder == trash and remove(found) and not trash.exists()


def test_no_folder_holds_nothing(graphs: tuple[Step, Step], tmp_path: Path) -> None:
    assert leftovers(graphs[0], tmp_path / "nowhere") == []
