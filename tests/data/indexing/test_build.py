"""The index from one time to the next: kept, refreshed, resumed, shared; and never half-written."""

import os
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeltag.core.errors import DataError, OutputError
from reeltag.core.locks import try_lock
from reeltag.core.parts import is_part
from reeltag.data.class_list import ClassList
from reeltag.data.index import open_index
from reeltag.data.indexing import build, scan
from reeltag.data.indexing.locations import Shard
from reeltag.data.records.problems import Problem
from reeltag.data.shards import read_record
from tests.data.made import frame_record, indexed, problems, rated_record, rows, write_shard
from tests.processes import Launch, die

DUPLICATE = Problem.DUPLICATE_ID.text
SOUND = [frame_record(f"sound {i}", 5 + i, [i]) for i in range(3)]


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the shards that are read, as they are."""
    names: list[str] = []
    scan_shard = scan.scan_shard

    def noting_scan(path: Path, *arguments: Any) -> Any:
        names.append(path.name)
        return scan_shard(path, *arguments)

    monkeypatch.setattr(build, "scan_shard", noting_scan)
    return names


def test_labels_outside_the_vocabulary_are_dropped_and_come_back_with_a_larger_one(
    tmp_path: Path, scanned: list[str]
) -> None:
    write_shard(tmp_path / "a.tfrecord", [rated_record("r", 20, [(5, 8, 1.0), (10, 1, 0.0)])])
    write_shard(tmp_path / "b.tfrecord", [frame_record("a", labels=[1, 2])])
    ClassList.numbered(8).save(tmp_path / "classes.csv")
    index = indexed(tmp_path)
    assert index.num_classes == 8
    assert problems(index) == ["label outside the vocabulary", None]
    assert rows(index)[0]["segment_labels"] == [1] and rows(index)[0]["segment_starts"] == [10]
    scanned.clear()
    ClassList.numbered(9).save(tmp_path / "classes.csv")
    index = indexed(tmp_path)
    assert problems(index) == [None, None] and index.num_classes == 9
    assert rows(index)[0]["segment_labels"] == [8, 1]
    assert scanned == ["a.tfrecord"]
    ClassList.numbered(2).save(tmp_path / "classes.csv")
    index = indexed(tmp_path)
    assert [row["labels"] for row in rows(index)] == [[1], [1]]
    assert scanned == ["a.tfrecord"]  # nothing had been dropped, so nothing is read again


def test_build_reads_only_changed_shards_again(tmp_path: Path, scanned: list[str]) -> None:
    for name in "abc":
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(name)])
    indexed(tmp_path)
    assert scanned == ["a.tfrecord", "b.tfrecord", "c.tfrecord"]
    scanned.clear()
    indexed(tmp_path)
    assert not scanned
    write_shard(tmp_path / "b.tfrecord", [frame_record("new"), frame_record("c")])
    write_shard(tmp_path / "bb.tfrecord", [frame_record("bb")])
    (tmp_path / "a.tfrecord").unlink()
    index = indexed(tmp_path)
    assert scanned == ["b.tfrecord", "bb.tfrecord"]
    assert index.shards == ("b.tfrecord", "bb.tfrecord", "c.tfrecord")
    found = [(row["shard"], row["id"], row["problem"]) for row in rows(index)]
    assert found == [(0, "new", None), (0, "c", None), (1, "bb", None), (2, "c", DUPLICATE)]
    shutil.rmtree(tmp_path / ".reeltag")
    assert indexed(tmp_path).table.equals(index.table)  # the same as from scratch


def test_duplicate_is_forgotten_with_the_record_before_it(tmp_path: Path) -> None:
    write_shard(tmp_path / "p-1.tfrecord", [frame_record("a")])
    write_shard(tmp_path / "p-2.tfrecord", [frame_record("a")])
    assert problems(indexed(tmp_path)) == [None, "duplicate id"]
    (tmp_path / "p-1.tfrecord").unlink()
    assert problems(indexed(tmp_path)) == [None]


def test_interrupted_pass_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: list[str]
) -> None:
    for name in "abc":
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(name)])
    write = build.write_piece

    def interrupted(root: Path, shard: Shard, *arguments: Any) -> None:
        if shard.name == "c.tfrecord":
            raise KeyboardInterrupt
        write(root, shard, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(build, "write_piece", interrupted)
        with pytest.raises(KeyboardInterrupt):
            indexed(tmp_path)
    assert scanned == ["a.tfrecord", "b.tfrecord"]
    scanned.clear()
    assert len(indexed(tmp_path).table) == 3
    assert scanned == ["c.tfrecord"]
    assert not (tmp_path / ".reeltag" / "building").exists()


def test_damaged_piece_of_an_interrupted_pass_is_made_again(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", SOUND)
    write = build.write_piece

    def damaging(root: Path, shard: Any, folder: Path, *arguments: Any) -> None:
        write(root, shard, folder, *arguments)
        for piece in folder.iterdir():
            piece.write_bytes(b"damaged")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "write_piece", damaging)
        assert len(indexed(tmp_path).table) == 3


@pytest.mark.parametrize("damage", [b"", b"no arrow file", None])
def test_damaged_index_is_built_again(tmp_path: Path, damage: bytes | None) -> None:
    write_shard(tmp_path / "a.tfrecord", SOUND)
    path = tmp_path / ".reeltag" / "index.arrow"
    before = indexed(tmp_path).table.to_pylist()
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    assert indexed(tmp_path).table.to_pylist() == before


def test_index_of_another_version_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: list[str]
) -> None:
    write_shard(tmp_path / "a.tfrecord", SOUND)
    monkeypatch.setattr("reeltag.data.indexing.header.VERSION", 0)
    indexed(tmp_path)
    monkeypatch.undo()
    assert len(indexed(tmp_path).table) == 3


def test_unverified_index_does_not_pass_for_a_verified_one(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tfrecord", SOUND)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # the last byte of the last frame
    path.write_bytes(data)
    assert problems(indexed(tmp_path, verify=False)) == [None] * 3
    assert problems(indexed(tmp_path))[2] == "bad data checksum"
    assert problems(indexed(tmp_path, verify=False))[2] == "bad data checksum"  # there already


def test_read_only_folder_is_indexed_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "data"
    write_shard(data / "a.tfrecord", SOUND)
    data.chmod(0o555)
    try:
        assert len(indexed(data).table) == 3
        assert len(indexed(data).table) == 3
    finally:
        data.chmod(0o755)
    assert scanned == ["a.tfrecord"]
    assert not (data / ".reeltag").exists() and list((tmp_path / "cache").rglob("index.arrow"))


def test_without_any_place_for_the_index_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    write_shard(tmp_path / "data" / "a.tfrecord", SOUND)
    (tmp_path / "data").chmod(0o555)
    with pytest.raises(OutputError, match="set XDG_CACHE_HOME"):
        indexed(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)


def test_several_processes_give_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(name), frame_record("x")])
    alone = indexed(tmp_path, jobs=1).table.to_pylist()
    shutil.rmtree(tmp_path / ".reeltag")
    monkeypatch.setattr(build, "_SMALL", 0)
    assert indexed(tmp_path, jobs=2).table.to_pylist() == alone


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with build.locked(tmp_path, tmp_path), try_lock(tmp_path / "lock") as ours:
        assert not ours
    with try_lock(tmp_path / "lock") as ours:
        assert ours


def _open_and_count(folder: Path) -> int:
    return len(indexed(folder).table)


def test_build_by_two_processes_at_once_agrees(tmp_path: Path, launch: Launch) -> None:
    for number in range(20):
        write_shard(tmp_path / f"{number}.tfrecord", [frame_record(f"{number}")])
    started = [launch(_open_and_count, tmp_path) for _ in range(2)]
    assert [process.result() for process in started] == [20, 20]
    assert sorted(os.listdir(tmp_path / ".reeltag")) == ["index.arrow"]


def _kill_while_indexing(folder: Path, function: str) -> None:
    pytest.MonkeyPatch().setattr(function, die)
    indexed(folder)


@pytest.mark.parametrize(
    ("function", "left"),
    [
        ("reeltag.data.indexing.build.finished_rows", {"building", "lock", "part"}),
        ("reeltag.data.indexing.build.discard", {"building", "lock", "index.arrow"}),
        ("shutil.rmtree", {"lock", "part", "index.arrow"}),
        ("reeltag.core.locks.Lock.release", {"lock", "index.arrow"}),
    ],
)
def test_what_a_killed_pass_left_is_removed_by_the_next(
    tmp_path: Path, launch: Launch, function: str, left: set[str]
) -> None:
    write_shard(tmp_path / "a.tfrecord", [frame_record("a")])
    assert launch(_kill_while_indexing, tmp_path, function).wait().status == -signal.SIGKILL
    names = os.listdir(tmp_path / ".reeltag")
    assert {"part" if is_part(name) else name for name in names} == left
    assert len(indexed(tmp_path).table) == 1
    assert os.listdir(tmp_path / ".reeltag") == ["index.arrow"]


def _kill_while_verifying(folder: Path) -> None:
    pytest.MonkeyPatch().setattr(build, "finished_rows", die)
    open_index(folder, again=True, quiet=True)


def test_whole_index_keeps_what_a_later_pass_has_done(tmp_path: Path, launch: Launch) -> None:
    write_shard(tmp_path / "a.tfrecord", [frame_record("a")])
    indexed(tmp_path)
    assert launch(_kill_while_verifying, tmp_path).wait().status == -signal.SIGKILL
    assert len(indexed(tmp_path).table) == 1
    assert sorted(os.listdir(tmp_path / ".reeltag")) == ["building", "index.arrow"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_shard_is_a_row_or_a_data_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "data"
    shutil.rmtree(folder, ignore_errors=True)
    path = write_shard(folder / "a.tfrecord", [*SOUND, rated_record("r", 9, [(5, 8, 1.0)])])
    shard = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        shard[data.draw(st.integers(0, len(shard) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(shard[: data.draw(st.integers(0, len(shard)))])
    try:
        index = indexed(folder, verify=data.draw(st.booleans()))
    except DataError:
        return
    for row, record in enumerate(rows(index)):
        if not record["skip"]:
            streams = read_record(index.index, row)
            assert {len(frames) for frames in streams.values()} == {record["frames"]}


def test_full_disk_raises_and_the_pass_goes_on_when_there_is_room(tmp_path: Path) -> None:
    for name in "ab":
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(name)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            indexed(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in (tmp_path / ".reeltag").rglob("*") if path.suffix == ".arrow"]
    assert len(indexed(tmp_path).table) == 2
