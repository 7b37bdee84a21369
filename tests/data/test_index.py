"""The index: what it says of records, sound or not, and what it keeps until the next time."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.index import TABLE_SCHEMA, Stream
from reeltag.data.indexing import scan
from reeltag.data.indexing.probe import Schema
from reeltag.data.records.example import Values, encode_sequence_example
from reeltag.data.records.problems import Problem, from_bits
from reeltag.data.records.tfrecord import Framed
from reeltag.data.shards import read_record
from tests.data.made import (
    WIDTHS,
    frame_record,
    indexed,
    problems,
    rated_record,
    rows,
    some_frames,
    video_record,
    write_shard,
)

DUPLICATE = Problem.DUPLICATE_ID.text
SOUND = [frame_record(f"sound {i}", 5 + i, [i]) for i in range(3)]


def test_frame_level_records_are_described(tmp_path: Path) -> None:
    rated = rated_record("rated", 20, [(5, 1, 1.0), (5, 2, 0.0), (10, 1, 0.5)])
    write_shard(tmp_path / "b" / "1.tfrecord", [rated])
    write_shard(tmp_path / "a.tfrecord", [frame_record("é\0", 7, [9, 2, 2])])
    index = indexed(tmp_path)
    assert index.kind == "frames" and index.shards == ("a.tfrecord", "b/1.tfrecord")
    assert index.streams == (Stream("rgb", 16, "uint8"), Stream("audio", 4, "uint8"))
    assert index.num_classes == 10
    assert index.table.schema.equals(TABLE_SCHEMA)
    first, second = rows(index)
    assert (first["id"], first["frames"], first["labels"]) == ("é\0", 7, [2, 9])
    assert (second["shard"], second["segment_starts"]) == (1, [5, 5, 10])
    assert (second["segment_labels"], second["segment_scores"]) == ([1, 2, 1], [1.0, 0.0, 0.5])
    assert first["problem"] is None and first["skip"] is False
    for row, num_frames in enumerate((7, 20)):
        streams = read_record(index.index, row)
        for name, width in WIDTHS.items():
            np.testing.assert_array_equal(streams[name], some_frames(num_frames, width))


def test_video_level_records_are_described(tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.float32)
    write_shard(tmp_path / "a.tfrecord", [video_record("a", [3], mean_rgb=values)])
    index = indexed(tmp_path)
    assert index.kind == "video"
    assert index.streams == (Stream("mean_rgb", 16, "float32"), Stream("mean_audio", 4, "float32"))
    assert rows(index)[0]["frames"] == 1
    np.testing.assert_array_equal(read_record(index.index, 0)["mean_rgb"], values[None])


def test_audioset_and_features_of_ones_own_need_no_flags(tmp_path: Path) -> None:
    record = encode_sequence_example(
        {
            "video_id": [b"x"],
            "start_time_seconds": np.array([30.0], np.float32),
            "labels": np.array([5]),
        },
        {"audio_embedding": some_frames(10, 128), "my_rgb": some_frames(10, 3)},
    )
    write_shard(tmp_path / "a.tfrecord", [record])
    index = indexed(tmp_path)
    assert [(s.name, s.width) for s in index.streams] == [("my_rgb", 3), ("audio_embedding", 128)]
    assert rows(index)[0]["id"] == "x"


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b"\xff\xff\xff", Problem.UNDECODABLE),
        (frame_record("a", id=[]), Problem.NO_ID),
        (frame_record("a", widths={"rgb": 16}), Problem.MISSING_STREAM),
        (frame_record("a", widths={"rgb": 16, "audio": 5}), Problem.WRONG_WIDTH),
        (frame_record("a", 0), Problem.ZERO_FRAMES),
        (
            encode_sequence_example(
                {"id": [b"a"]}, {"rgb": some_frames(5, 16), "audio": some_frames(4, 4)}
            ),
            Problem.UNEQUAL_LENGTHS,
        ),
        (
            encode_sequence_example(
                {"id": [b"a"], "labels": [b"1"]},
                {"rgb": some_frames(5, 16), "audio": some_frames(5, 4)},
            ),
            Problem.BAD_LABELS,
        ),
        (frame_record("sound 1"), Problem.DUPLICATE_ID),
        (frame_record("a", 301), Problem.MANY_FRAMES),
        (frame_record("a", labels=[-1, 2]), Problem.LABEL_OUTSIDE),
        (frame_record("a", labels=[2, 2**40]), Problem.LABEL_OUTSIDE),
        (rated_record("a", 20, [(30, 1, 1.0)]), Problem.SEGMENT_PAST_END),
        (rated_record("a", 20, [(18, 1, 1.0)]), Problem.SEGMENT_CUT),
        (rated_record("a", 20, [(-5, 1, 1.0)]), Problem.SEGMENT_TIMES),
        (rated_record("a", 20, [(5, 2**31, 1.0)]), Problem.LABEL_OUTSIDE),
        (rated_record("a", 20, [(5, 1, np.inf)]), Problem.SEGMENT_SCORE),
        (
            rated_record("a", 20, [(5, 1, 1.0)], segment_scores=np.zeros(2, np.float32)),
            Problem.SEGMENT_LISTS,
        ),
    ],
)
def test_problem_of_a_record_is_its_own(tmp_path: Path, record: bytes, problem: Problem) -> None:
    write_shard(tmp_path / "a.tfrecord", [*SOUND, record, frame_record("after")])
    index = indexed(tmp_path)
    assert problems(index) == [None, None, None, problem.text, None]
    assert rows(index)[3]["skip"] is problem.skips
    if problem.skips:
        with pytest.raises(DataError, match=f"a.tfrecord, byte .*{problem.text}"):
            read_record(index.index, 3)
    else:
        assert read_record(index.index, 3)["rgb"].shape[1] == 16


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ({"mean_rgb": np.full(16, np.nan, np.float32)}, Problem.NOT_FINITE),
        ({"mean_rgb": np.full(16, -np.inf, np.float32)}, Problem.NOT_FINITE),
        ({"mean_rgb": np.zeros(15, np.float32)}, Problem.WRONG_WIDTH),
        ({"mean_rgb": np.zeros(0, np.float32)}, Problem.WRONG_WIDTH),
        ({"mean_rgb": [bytes(64)]}, Problem.WRONG_WIDTH),
    ],
)
def test_problem_of_a_video_level_record(
    tmp_path: Path, features: dict[str, Values], problem: Problem
) -> None:
    records = [*map(video_record, "abc"), video_record("d", (), **features)]
    write_shard(tmp_path / "a.tfrecord", records)
    assert problems(indexed(tmp_path)) == [None, None, None, problem.text]


def test_framing_problems_leave_a_row_with_file_and_offset(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", SOUND)
    data = bytearray((tmp_path / "a.tfrecord").read_bytes())
    (tmp_path / "b.tfrecord").write_bytes(data[: len(data) - 3])
    second = indexed(tmp_path).table["offset"][1].as_py()
    (tmp_path / "d.tfrecord").touch()
    data[second] ^= 1
    (tmp_path / "e.tfrecord").write_bytes(data)
    data[second - 12] ^= 1
    (tmp_path / "f.tfrecord").write_bytes(data)
    found = {
        (index.shards[row["shard"]], row["problem"], row["offset"], row["frames"])
        for index in [indexed(tmp_path)]
        for row in rows(index)
        if row["problem"] not in (None, "duplicate id")
    }
    last = rows(indexed(tmp_path))[2]["offset"]
    assert found == {
        ("b.tfrecord", "truncated", last - 12, 0),
        ("d.tfrecord", "empty shard", 0, 0),
        ("e.tfrecord", "bad data checksum", second, 0),
        ("f.tfrecord", "bad length checksum", second - 12, 0),
    }


def test_id_may_stand_once_in_each_set_of_shards(tmp_path: Path) -> None:
    write_shard(tmp_path / "train01.tfrecord", [frame_record("a"), frame_record("b")])
    write_shard(tmp_path / "trainzz.tfrecord", [frame_record("a")])
    write_shard(tmp_path / "validate01.tfrecord", [frame_record("b"), frame_record("b")])
    assert problems(indexed(tmp_path)) == [
        None,
        None,
        "duplicate id",
        "id in two splits",
        "duplicate id",
    ]


def test_of_a_skipped_record_the_id_does_not_count(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", [*SOUND, frame_record("a", 0), frame_record("a")])
    assert problems(indexed(tmp_path))[3:] == ["zero frames", None]


def test_one_file_is_a_data_set_too(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tfrecord", SOUND)
    write_shard(tmp_path / "b.tfrecord", [video_record("a")])
    index = indexed(path)
    assert index.shards == ("a.tfrecord",) and len(index.table) == 3
    assert read_record(index.index, 0)["rgb"].shape == (5, 16)
    assert indexed(tmp_path / "b.tfrecord").kind == "video"


def test_record_beyond_protobufs_limit_is_undecodable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path / "a.tfrecord", SOUND)
    huge = [Framed(12, 2**31 + 5)]
    monkeypatch.setattr(scan, "frame_records", lambda data, verify: huge)
    table = scan.scan_shard(path, Schema("frames", ()), verify=True)
    assert from_bits(table["bits"][0].as_py()) == [Problem.UNDECODABLE]


def test_shard_that_is_cut_short_while_it_is_indexed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path / "a.tfrecord", [frame_record("x" * 3_000_000)] * 2)
    describe = scan.describe_record

    def cut(*given: Any) -> scan.Described:
        os.truncate(path, 4_500_000)  # mapped bytes would end the process
        return describe(*given)

    monkeypatch.setattr(scan, "describe_record", cut)
    with pytest.raises(DataError, match=r"a.tfrecord: ends at byte 4,500,000, but had"):
        scan.scan_shard(path, Schema("frames", (Stream("rgb", 16, "uint8"),)), verify=True)


def test_empty_ids_are_no_ids_where_there_are_several(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "train0.tfrecord", [frame_record("", 4 + n) for n in range(10)])
    write_shard(tmp_path / "train1.tfrecord", [frame_record("a"), frame_record("")])
    empty = "no id but an empty one"
    assert problems(indexed(tmp_path)) == [*[empty] * 10, None, empty]
    path.unlink()  # one is a name like another
    assert problems(indexed(tmp_path)) == [None, None]


def test_whole_numbers_as_segment_scores_are_ratings(tmp_path: Path) -> None:
    rated = rated_record("a", 20, [(5, 1, 1.0), (10, 1, 0.0)], segment_scores=np.array([1, 0]))
    write_shard(tmp_path / "a.tfrecord", [rated])
    found = indexed(tmp_path)
    assert problems(found) == [None] and rows(found)[0]["segment_scores"] == [1, 0]


def test_rated_classes_as_text_are_mapped_through_the_class_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rated = [(5, 0, 1.0), (10, 0, 0.0), (90, 0, 1.0), (15, 0, 0.5)]  # the third is past the end
    texts = {
        "a": [b"Dog", b"/m/c", b"cat", b"2"],
        "b": [b"cat;dog", b"dragon", b"cat", b"owl"],
        "c": [b"dragon", b"newt", b"cat", b"yeti"],
    }
    records = [rated_record(name, 20, rated, segment_labels=of) for name, of in texts.items()]
    plain = rated_record("d", 20, [(5, 1, 1.0)])
    write_shard(tmp_path / "train0.tfrecord", [*records, plain])
    late, text = "segment past the end", "segment labels are text"
    found = indexed(tmp_path)
    assert problems(found) == [*[f"{late};{text}"] * 3, None]
    assert [row["segment_labels"] for row in rows(found)] == [[], [], [], [1]]
    assert found.num_classes == 3 and not any(row["skip"] for row in rows(found))  # by `labels`
    ClassList(("cat", "dog", "owl"), mids=("/m/c", "/m/d", "/m/o")).save(tmp_path / "classes.csv")
    found = indexed(tmp_path)
    names = ("segment_starts", "segment_ends", "segment_labels", "segment_scores")
    assert [[row[name] for name in names] for row in rows(found)] == [
        [[5, 10, 15], [10, 15, 20], [1, 0, 2], [1, 0, 0.5]],
        [[5, 5, 15], [10, 10, 20], [0, 1, 2], [1, 1, 0.5]],
        [[], [], [], []],
        [[5], [10], [1], [1]],
    ]
    outside = f"label outside the vocabulary;{late}"
    assert problems(found) == [late, outside, outside, None]
    logged = " ".join(capfd.readouterr().err.split())
    assert (
        "ratings of classes that are not in the class list are dropped: 'dragon', 'newt', 'ye"
        in (logged)
    )
    (tmp_path / "ratings.csv").write_text("id,start_s,end_s,class,value\nb,1,2,owl,1\n")
    found = indexed(tmp_path)
    assert [row["segment_labels"] for row in rows(found)] == [[], [2], [], []]


def test_labels_as_text_are_mapped_through_the_class_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = [[b"Dog"], [b"/m/c", b"1"], [b"cat;dog"], [b"dog", b"dragon"], []]
    records = [frame_record(f"v{at}", labels=text) for at, text in enumerate(texts)]
    write_shard(tmp_path / "train0.tfrecord", [*records, frame_record("v5", labels=[1])])
    assert problems(indexed(tmp_path)) == [*["labels are not integers"] * 4, None, None]
    ClassList(("cat", "dog", "owl"), mids=("/m/c", "/m/d", "/m/o")).save(tmp_path / "classes.csv")
    found = indexed(tmp_path)
    assert [row["labels"] for row in rows(found)] == [[1], [0, 1], [0, 1], [1], [], [1]]
    assert problems(found) == [*[None] * 3, "label outside the vocabulary", None, None]
    logged = " ".join(capfd.readouterr().err.split())
    assert "labels that are not in the class list are dropped: 'dragon'" in logged
    (tmp_path / "labels.csv").write_text("id,class\nv0,owl\n")
    found = indexed(tmp_path)
    assert [row["labels"] for row in rows(found)] == [[2], *[[]] * 5]
    assert problems(found) == [None] * 6
