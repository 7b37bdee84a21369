"""Data sets of compressed shards: read as others are, from a cache that follows its source."""

import gzip
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from reeltag.core.errors import DataError, OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.indexing import unpacking
from reeltag.data.records.packing import Packing, unpack
from reeltag.data.shards import read_record
from tests.data.made import frame_record, indexed, problems, rows, some_frames, write_shard

NAMES = ("train0.tfrecord.gz", "train-00000-of-00002", "b/test.tfrecords", "validate1.tfrecord")


def filled(folder: Path) -> Path:
    """Return a folder of four shards: gzip, as it is, zlib, and gzip that no name gives away."""
    ways: tuple[Callable[[bytes], bytes], ...] = (
        gzip.compress,
        bytes,
        zlib.compress,
        gzip.compress,
    )
    for number, (name, way) in enumerate(zip(NAMES, ways, strict=True)):
        payloads = [frame_record(f"{number} {n}", 5 + n, [number]) for n in range(3)]
        path = write_shard(folder / name, payloads)
        path.write_bytes(way(path.read_bytes()))
    return folder


def cached(folder: Path) -> dict[str, int]:
    """Return the files of the cache with their inodes."""
    place = folder / ".reeltag" / "unpacked"
    return {path.name: path.stat().st_ino for path in place.iterdir()} if place.is_dir() else {}


def frames_of(data: Dataset) -> Iterator[tuple[str, int]]:
    """Yield ids with the sums of their frames, and check these."""
    for number, row in enumerate(rows(data)):
        frames = read_record(data.index, number)["rgb"]
        np.testing.assert_array_equal(frames, some_frames(row["frames"], 16))
        yield row["id"], len(frames)


def test_compressed_shards_are_read_like_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = Dataset.open(filled(tmp_path))
    assert data.shards == tuple(sorted(NAMES)) and problems(data) == [None] * 12
    expected = {(f"{shard} {n}", 5 + n) for shard in range(4) for n in range(3)}
    assert set(frames_of(data)) == expected
    assert len(cached(tmp_path)) == 6
    said = " ".join(capfd.readouterr().err.split())
    assert f"3 compressed shards of {tmp_path} are unpacked into" in said
    before = cached(tmp_path)
    again = Dataset.open(tmp_path)
    assert cached(tmp_path) == before and "unpacked" not in capfd.readouterr().err
    assert set(frames_of(again)) == expected
    assert {name: len(data.shards_of(name)) for name in ("train", "validate", "test")} == {
        "train": 2,
        "validate": 1,
        "test": 1,
    }


def test_one_compressed_file_is_a_data_set_too(tmp_path: Path) -> None:
    path = filled(tmp_path) / NAMES[0]
    assert dict(frames_of(indexed(path))) == {"0 0": 5, "0 1": 6, "0 2": 7}


def test_cache_follows_a_source_that_changes_or_vanishes(tmp_path: Path) -> None:
    data = indexed(filled(tmp_path))
    before = cached(tmp_path)
    new = write_shard(tmp_path / "new", [frame_record("new", 9)]).read_bytes()
    (tmp_path / "new").unlink()
    (tmp_path / NAMES[0]).write_bytes(gzip.compress(new))
    changed = indexed(tmp_path)
    assert ("new", 9) in set(frames_of(changed)) and "0 0" not in dict(frames_of(changed))
    assert len(set(cached(tmp_path)) & set(before)) == 4 and len(cached(tmp_path)) == 6
    for name in (NAMES[0], NAMES[2]):
        (tmp_path / name).unlink()
    assert len(indexed(tmp_path)) == 6 and len(cached(tmp_path)) == 2
    (tmp_path / NAMES[3]).unlink()
    assert len(indexed(tmp_path)) == 3
    assert not (tmp_path / ".reeltag" / "unpacked").exists()
    with pytest.raises(DataError, match=r"~.*\.records: cannot be read"):
        list(frames_of(data))  # that was opened before


def test_cache_that_was_damaged_is_made_again(tmp_path: Path) -> None:
    indexed(filled(tmp_path))
    place = tmp_path / ".reeltag" / "unpacked"
    records = sorted(place.glob("*.records"))
    records[0].unlink()
    records[1].write_bytes(bytes(records[1].stat().st_size))
    next(place.glob(f"{records[2].stem}.json")).write_text("{")
    (place / "of nothing").touch()
    assert len(set(frames_of(indexed(tmp_path)))) == 12
    assert len(cached(tmp_path)) == 6


def test_cache_that_was_copied_is_kept_by_its_checksum(tmp_path: Path) -> None:
    indexed(filled(tmp_path / "a"))
    place = tmp_path / "a" / ".reeltag" / "unpacked"
    before = cached(tmp_path / "a")
    for path in place.glob("*.records"):
        os.utime(path, ns=(0, 0))
    assert len(set(frames_of(indexed(tmp_path / "a")))) == 12
    assert {n: i for n, i in before.items() if n.endswith(".records")}.items() <= cached(
        tmp_path / "a"
    ).items()
    known = json.loads(next(place.glob("*.json")).read_text())
    assert known["mtime_ns"] == 0 and set(known) == {"size", "mtime_ns", "crc32c"}


def test_read_only_data_are_unpacked_into_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = filled(tmp_path / "data")
    folder.chmod(0o555)
    data = indexed(folder)
    assert len(set(frames_of(data))) == 12
    assert {path.parents[3] for path in (of.path for of in data.index.unpacked.values())} == {
        tmp_path / "cache"
    }
    assert not (folder / ".reeltag").exists()


class Usage(NamedTuple):
    """What a disk says of itself."""

    total: int
    used: int
    free: int


def test_a_disk_that_is_too_small_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = unpacking.RESERVE + 100
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
    with pytest.raises(OutputError, match=r"67\.1 MB free; 3 compressed shards .* about 2\.8 kB"):
        indexed(filled(tmp_path))
    assert cached(tmp_path) == {}


def test_a_disk_that_gets_full_stops_it_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "unpacked_size", lambda path, packing: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, unpacking.RESERVE + 50))
    with pytest.raises(OutputError, match=r"has no space for .*tfrecord"):
        indexed(filled(tmp_path))
    assert cached(tmp_path) == {}


def test_a_broken_shard_is_named_and_the_others_stay_unpacked(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "validate1.tfrecord"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=f"{path}: is cut short"):
        indexed(tmp_path, jobs=1)
    before = cached(tmp_path)
    assert len(before) == 4
    path.unlink()
    assert len(indexed(tmp_path)) == 9 and cached(tmp_path) == before


def test_a_shard_that_changes_while_it_is_unpacked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def growing(path: Path, packing: Packing) -> Iterator[bytes]:
        yield from unpack(path, packing)
        path.write_bytes(path.read_bytes() + b" ")

    monkeypatch.setattr(unpacking, "unpack", growing)
    with pytest.raises(DataError, match=r"\.gz: has changed while it was unpacked"):
        indexed(filled(tmp_path) / NAMES[0])
