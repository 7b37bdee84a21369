"""What kind of data set it is, by looking; and what is said when shards do not fit together."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.index import open_index
from reeltag.data.indexing.probe import Schema, probe_shard
from reeltag.data.records.problems import Problem
from reeltag.data.streams import Stream
from tests.data.made import frame_record, video_record, write_shard

RGB, AUDIO = Stream("rgb", 16, "uint8"), Stream("audio", 4, "uint8")


def probed(folder: Path, *records: bytes) -> Schema | Problem:
    return probe_shard(write_shard(folder / "a.tfrecord", records))


def test_majority_of_records_decides(tmp_path: Path) -> None:
    odd = frame_record("odd", widths={"rgb": 15, "more": 2})
    assert probed(tmp_path, odd, *[frame_record("a")] * 2) == Schema("frames", (RGB, AUDIO))


def test_record_of_the_other_kind_is_outvoted(tmp_path: Path) -> None:
    found = probed(tmp_path, frame_record("a"), *[video_record("b")] * 2)
    assert isinstance(found, Schema) and found.kind == "video"


def test_list_whose_width_varies_is_no_stream(tmp_path: Path) -> None:
    records = [
        video_record(name, top_scores=np.zeros(2 + i, np.float32)) for i, name in enumerate("abc")
    ]
    found = probed(tmp_path, *records)
    assert isinstance(found, Schema)
    assert [stream.name for stream in found.streams] == ["mean_rgb", "mean_audio"]


def test_times_and_single_numbers_are_no_streams(tmp_path: Path) -> None:
    one = np.zeros(1, np.float32)
    record = video_record("a", quality=one, start_time_seconds=np.zeros(2, np.float32))
    found = probed(tmp_path, record)
    assert isinstance(found, Schema) and len(found.streams) == 2


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([b"\xff"], Problem.UNDECODABLE),
        ([frame_record("a", 0)], Problem.ZERO_FRAMES),
        ([], Problem.EMPTY),
    ],
)
def test_shard_without_a_sound_record_names_why(
    tmp_path: Path, records: list[bytes], problem: Problem
) -> None:
    assert probed(tmp_path, *records) == problem


def test_without_any_sound_record_the_first_reason_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_bytes(b"x" * 99)
    with pytest.raises(
        DataError, match=r"a\.tfrecord: no shard .*no part of the shard can be read"
    ):
        open_index(tmp_path, quiet=True)


def test_schema_of_two_kinds_raises_with_an_example_of_each(tmp_path: Path) -> None:
    write_shard(tmp_path / "video" / "b.tfrecord", [video_record("a")])
    write_shard(tmp_path / "frame" / "a.tfrecord", [frame_record("a")])
    with pytest.raises(DataError) as caught:
        open_index(tmp_path, quiet=True)
    for words in (
        "different kinds of records",
        "frame/a.tfrecord has frame-level records with rgb 16, audio 4",
        "video/b.tfrecord has video-level records with mean_rgb 16, mean_audio 4",
        "one of the subfolders",
    ):
        assert words in str(caught.value)
    assert open_index(tmp_path / "video", quiet=True).kind == "video"


def test_other_streams_in_another_shard_raise_even_when_it_comes_later(
    tmp_path: Path,
) -> None:
    write_shard(tmp_path / "a.tfrecord", [frame_record("a")])
    open_index(tmp_path, quiet=True)
    write_shard(tmp_path / "b.tfrecord", [frame_record("b", widths={"rgb": 16})])
    with pytest.raises(DataError, match=r"different streams: a.tfrecord .* b.tfrecord has"):
        open_index(tmp_path, quiet=True)


def test_shard_that_is_all_broken_does_not_stop_the_others(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", [b"\xff"])
    write_shard(tmp_path / "b.tfrecord", [frame_record("b")])
    table = open_index(tmp_path, quiet=True).table
    assert table["problem"].to_pylist() == ["undecodable", None]
