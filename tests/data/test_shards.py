"""Shards: few open at once, read by many threads, honest about files that changed."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data import shards
from reeltag.data.index import Index, open_index
from reeltag.data.records.example import encode_sequence_example
from reeltag.data.records.file_bytes import FileBytes
from reeltag.data.records.wire import encode_bytes_field
from reeltag.data.shards import ShardFiles, open_shard, read_record
from tests.data.made import frame_record, some_frames, video_record, write_shard


@pytest.fixture
def index(tmp_path: Path) -> Index:
    for number in range(9):
        write_shard(tmp_path / f"{number}.tfrecord", [frame_record(f"{number}", 2 + number)])
    return open_index(tmp_path, quiet=True)


def num_open() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_bytes_are_those_of_the_file(index: Index) -> None:
    content = index.path(3).read_bytes()
    read = ShardFiles(index).read(3, 7, len(content))
    assert read.tobytes() == content[7:]
    assert not read.flags.writeable


def test_at_most_the_allowed_number_of_shards_is_open(index: Index) -> None:
    files = ShardFiles(index, max_open=2)
    before = num_open()
    for shard in [*range(9), 0]:
        assert files.read(shard, 0, 20).tobytes() == index.path(shard).read_bytes()[:20]
        assert num_open() <= before + 2


def test_last_used_shard_is_closed_last(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    files, opened = ShardFiles(index, max_open=2), list[int]()

    def noting(index: Index, shard: int) -> FileBytes:
        opened.append(shard)
        return open_shard(index, shard)

    monkeypatch.setattr(shards, "open_shard", noting)
    for shard in (0, 1, 0, 2, 0, 1):
        files.read(shard, 0, 20)
    assert opened == [0, 1, 2, 1]


def test_threads_may_share_it(index: Index) -> None:
    files = ShardFiles(index, max_open=2)
    expected = [index.path(shard).read_bytes() for shard in range(9)]
    wrong: list[int] = []

    def read(seed: int) -> None:
        shards = np.random.default_rng(seed).integers(0, 9, 200).tolist()
        found = ((n, files.read(n, 0, len(expected[n])).tobytes()) for n in shards)
        wrong.extend(n for n, content in found if content != expected[n])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_shard_that_is_gone_is_an_error(index: Index) -> None:
    index.path(2).unlink()
    with pytest.raises(DataError, match=r"2\.tfrecord: cannot be read"):
        read_record(index, 2)


def test_record_with_frames_at_odd_places_is_read_by_walking(tmp_path: Path) -> None:
    frames = some_frames(3, 16)

    def feature(row: int) -> bytes:  # an unknown field behind every second frame
        string = encode_bytes_field(1, encode_bytes_field(1, frames[row].tobytes()))
        return encode_bytes_field(1, string + b"\x20\x05" * (row % 2))

    key = encode_bytes_field(1, b"rgb")
    body = encode_bytes_field(2, b"".join(map(feature, range(3))))
    lists = encode_bytes_field(2, encode_bytes_field(1, key + body))
    odd = encode_sequence_example({"id": [b"odd"]}, {}) + lists
    even = [frame_record(name, widths={"rgb": 16}) for name in "ab"]
    write_shard(tmp_path / "a.tfrecord", [*even, odd])
    index = open_index(tmp_path, quiet=True)
    row = index.table.slice(2, 1).to_pylist()[0]
    assert (row["stride"], row["frames"], row["problem"]) == ([0], 3, None)
    np.testing.assert_array_equal(read_record(index, 2)["rgb"], frames)


def test_floats_at_odd_places_are_read_by_walking(tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.float32)
    halves = [encode_bytes_field(1, half.tobytes()) for half in np.split(values, 2)]
    key = encode_bytes_field(1, b"mean_rgb")
    entry = key + encode_bytes_field(2, encode_bytes_field(2, b"".join(halves)))
    odd = video_record("odd") + encode_bytes_field(1, encode_bytes_field(1, entry))
    write_shard(tmp_path / "a.tfrecord", [video_record("a"), odd])
    index = open_index(tmp_path, quiet=True)
    assert index.table["stride"].to_pylist() == [[64, 16], [0, 16]]
    np.testing.assert_array_equal(read_record(index, 1)["mean_rgb"], values[None])
