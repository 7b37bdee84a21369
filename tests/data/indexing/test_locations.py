"""Where shards are looked for, and what is said when there are none."""

import os
from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.indexing.locations import find_shards, index_places
from reeltag.data.indexing.shard_names import is_shard_name


def test_shards_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    names = ["a/b/c.tfrecord", "a/x.tfrecord.gz", "a/z.tfrecord", "b.tfrecord"]
    for name in [*names[::-1], "a/notes.txt", ".reeltag/unpacked/y.tfrecord"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    root, shards = find_shards(tmp_path)
    assert root == tmp_path
    assert [shard.name for shard in shards] == names
    assert {shard.size for shard in shards} == {3}


@pytest.mark.parametrize(
    ("name", "is_shard"),
    [
        ("train0.tfrecord", True),
        ("train0.tfrecords", True),
        ("train0.tfrecords.gz", True),
        ("train.tfrecord-00003-of-00010", True),
        ("audioset-train-00003-of-00010", True),
        ("audioset-train-00003-of-00010.gz", True),
        ("train-00003-of-00010.tfrecord.gz", True),
        ("train0.tfrecord.part", False),
        ("train0.tfrecord.bz2", False),
        ("train0.TFRECORD", False),
        ("train-3-of-10", False),
        ("model.ckpt.data-00000-of-00001", False),
        ("model-00001-of-00002.safetensors", False),
        ("notes.gz", False),
        ("x.tfrecord\n", False),
    ],
)
def test_name_of_a_shard(name: str, is_shard: bool) -> None:
    assert is_shard_name(name) is is_shard


def test_linked_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.tfrecord").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "frame").symlink_to(tmp_path / "disk")
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data")
    _, shards = find_shards(tmp_path / "data")
    assert [shard.name for shard in shards] == ["frame/a.tfrecord"]


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: is not there"):
        find_shards(tmp_path / "gone")


def test_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no shard: \*\.tfrecord, .*\n  Give the folder"):
        find_shards(tmp_path)


def test_broken_downloads_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "train1.tfrecord.part").touch()
    with pytest.raises(DataError, match=r"there are 1 like train1\.tfrecord\.part\n  Finish"):
        find_shards(tmp_path)


def test_broken_links_are_left_out_counted_and_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train9.tfrecord").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match="has no shard"):
        find_shards(tmp_path)
    (tmp_path / "train1.tfrecord").touch()
    assert [shard.name for shard in find_shards(tmp_path)[1]] == ["train1.tfrecord"]
    logged = " ".join(capfd.readouterr().err.split())
    assert "1 links to files that are not there are left out: train9.tfrecord" in logged


def test_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:  # permissions do not hold root back, so they are played
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be read \\(Permission denied\\)"):
        find_shards(tmp_path)


def test_cache_has_a_place_for_each_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one, other = index_places(tmp_path / "a")[1], index_places(tmp_path / "b")[1]
    assert one != other and one.parent == other.parent == tmp_path / "cache" / "reeltag"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert index_places(tmp_path / "a")[1].parent == tmp_path / ".cache" / "reeltag"
