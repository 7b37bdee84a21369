"""Mapped shards: few open at once, good for many threads, honest about files that changed."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.index import Index, open_index
from reeltag.data.records.example import encode_sequence_example
from reeltag.data.records.wire import encode_bytes_field
from reeltag.data.shards import ShardMaps, read_record
from tests.data.made import frame_record, some_frames, video_record, write_shard


@pytest.fixture
def index(tmp_path: Path) -> Index:
    for number in range(9):
        write_shard(tmp_path / f"{number}.tfrecord", [frame_record(f"{number}", 2 + number)])
    return open_index(tmp_path, quiet=True)


def num_open() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_buffer_holds_the_file(index: Index) -> None:
    buffer = ShardMaps(index).buffer(3)
    assert buffer.tobytes() == index.path(3).read_bytes()
    assert not buffer.flags.writeable


def test_shard_maps_keep_at_most_the_allowed_number_open_and_arrays_stay_good(index: Index) -> None:
    maps = ShardMaps(index, max_open=2)
    before = num_open()
    first = maps.buffer(0)[:20].tobytes()
    kept = maps.buffer(0)[:20]
    for shard in range(9):
        maps.buffer(shard)
    assert num_open() <= before + 3  # two, and the one that `kept` looks into
    assert kept.tobytes() == first


def test_last_used_shard_is_closed_last(index: Index) -> None:
    maps = ShardMaps(index, max_open=2)
    first = maps.buffer(0)
    maps.buffer(1)
    maps.buffer(0)
    maps.buffer(2)
    assert maps.buffer(0) is first


def test_threads_may_share_it(index: Index) -> None:
    maps = ShardMaps(index, max_open=2)
    expected = [index.path(shard).read_bytes() for shard in range(9)]
    wrong: list[int] = []

    def read(seed: int) -> None:
        shards = np.random.default_rng(seed).integers(0, 9, 200).tolist()
        wrong.extend(n for n in shards if maps.buffer(n).tobytes() != expected[n])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_shard_that_became_shorter_is_an_error_not_a_crash(index: Index) -> None:
    path = index.path(2)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"2\.tfrecord: has .* bytes, but the index knows records"):
        ShardMaps(index).buffer(2)


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
