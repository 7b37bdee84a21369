"""What is not used or looks wrong is named, with the reason; sound data have nothing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.findings import Topic, find, lines
from reeltag.data.records import wire
from reeltag.data.records.example import (
    Encodable,
    Values,
    _encode_entry,
    _encode_feature,
    _encode_features,
    encode_sequence_example,
)
from tests.data.made import (
    frame_record,
    indexed,
    problems,
    rated_record,
    some_frames,
    video_record,
    write_shard,
)

NOT_USED: Topic = "not used"
WRONG: Topic = "looks wrong"


def any_record(name: str, lists: Mapping[str, list[Encodable]], **context: Values) -> bytes:
    """Return a SequenceExample whose frames may be of any kind."""
    features: dict[str, Values] = {"id": [name.encode()], "labels": np.array([1, 2]), **context}
    body = b"".join(
        _encode_entry(
            key,
            b"".join(wire.encode_bytes_field(1, _encode_feature(key, frame)) for frame in frames),
        )
        for key, frames in lists.items()
    )
    head = wire.encode_bytes_field(1, _encode_features(features))
    return head + wire.encode_bytes_field(2, body)


def found(data: Dataset, topic: Topic) -> dict[str, str]:
    return {finding.what: finding.why for finding in find(data) if finding.topic == topic}


def written(folder: Path, records: list[bytes], name: str = "train0.tfrecord") -> Path:
    folder.mkdir(exist_ok=True)
    write_shard(folder / name, records)
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Write 40 videos to train on, 10 to validate on, and their class list."""
    folder = written(tmp_path / "data", [frame_record(f"v{n}", 9, [n % 3]) for n in range(40)])
    written(folder, [frame_record(f"w{n}", 9, [n % 3]) for n in range(10)], "val.tfrecord")
    ClassList(("cat", "dog", "owl")).save(folder / "classes.csv")
    return folder


def test_nothing_is_found_in_sound_data(sound: Path) -> None:
    data = indexed(sound)
    assert find(data) == [] and lines(data, []) == []


def test_feature_list_of_floats_is_named(tmp_path: Path) -> None:
    frames: list[Encodable] = [[bytes(some_frames(1, 16, n))] for n in range(5)]
    audio: list[Encodable] = [np.zeros(4, np.float32)] * 5
    records = [any_record(f"v{n}", {"rgb": frames, "audio": audio}) for n in range(12)]
    data = indexed(written(tmp_path, records))
    assert [stream.name for stream in data.streams] == ["rgb"]
    assert found(data, NOT_USED)["feature list audio"] == (
        "lists of 4 floats, in 12 of 12 records, where byte strings of one width are read; "
        "`reeltag import` reads such"
    )


def test_feature_list_of_some_records_is_named(tmp_path: Path) -> None:
    both = [frame_record(f"v{n}") for n in range(24)]
    alone = [frame_record(f"w{n}", widths={"rgb": 16}) for n in range(16)]
    data = indexed(written(tmp_path, [*alone, *both]))
    assert [stream.name for stream in data.streams] == ["rgb"]
    why = found(data, NOT_USED)["feature list audio"]
    assert why == "byte strings of 4 bytes, in 24 of 40 records; a stream is in each record"
    data = indexed(written(tmp_path / "other", [*both, *alone]))
    assert problems(data)[24:] == ["missing feature"] * 16


def test_context_keys_are_named_with_the_reason(sound: Path) -> None:
    context: dict[str, Values] = {"id": [b"a"], "video_id": [b"y"], "url": [b"x"]}
    streams = {"rgb": some_frames(9, 16), "audio": some_frames(9, 4)}
    odd = encode_sequence_example({**context, "labels": np.array([1])}, streams)
    written(sound, [odd, rated_record("b", 9, [(0, 1, 1.0)])])
    (sound / "labels.csv").write_text("id,class\na,cat\n")
    why = found(indexed(sound), NOT_USED)
    assert why["context key url"] == "no id, label or rating; in 1 of 12 records"
    assert why["context key video_id"] == "id is the id; in 1 of 12 records"
    assert why["context key labels"] == f"replaced by {sound}/labels.csv; in 12 of 12 records"
    assert not any("segment" in what for what in why)


def test_context_keys_of_video_level_records_are_named(tmp_path: Path) -> None:
    records = [video_record(f"v{n}", score=np.zeros(1, np.float32)) for n in range(9)]
    assert list(found(indexed(written(tmp_path, records)), NOT_USED)) == ["context key score"]


def test_files_are_named_with_the_reason(sound: Path) -> None:
    for name in ("notes.txt", "a.npy", "b.npy", "x.tfrecord.bz2", ".hidden", "vocabulary.csv"):
        (sound / name).touch()
    (sound / "train9.tfrecord").symlink_to(sound / "gone")
    (sound / "more").mkdir()
    (sound / "more" / "labels.csv").touch()
    data = indexed(sound, labels=(), classes=sound / "classes.csv")
    assert found(data, NOT_USED) == {
        "notes.txt": "neither a shard nor a file with a known name",
        "2 files (a.npy, b.npy)": "neither a shard nor a file with a known name",
        "x.tfrecord.bz2": "its name does not end as a shard's: a download that broke off?",
        "vocabulary.csv": f"the class list is {sound}/classes.csv",
        "train9.tfrecord": "a link to a file that is not there",
        "more/labels.csv": f"labels are looked for in {sound} alone",
    }


def test_files_that_describe_synthetic_records_are_known(sound: Path) -> None:
    for name in ("README.md", "hierarchy.csv", "truth.csv"):
        (sound / name).touch()
    assert list(found(indexed(sound), NOT_USED)) == [
        "README.md",
        "2 files (hierarchy.csv, truth.csv)",
    ]
    (sound / "synth.json").touch()
    assert found(indexed(sound), NOT_USED) == {}


def test_labels_that_are_not_used_are_named(sound: Path, tmp_path: Path) -> None:
    (sound / "labels.csv").write_text("id,class\nv1,cat\n")
    assert found(indexed(sound, labels=()), NOT_USED) == {"labels.csv": "labels are left out here"}


def test_shards_without_split_or_records_are_named(sound: Path) -> None:
    written(sound, [frame_record("m", 9, [1])], "mine.tfrecord")
    (sound / "train1.tfrecord").touch()
    assert found(indexed(sound), NOT_USED) == {
        "1 shards (train1.tfrecord)": "no record in them can be used; see the problems",
        "1 shards (mine.tfrecord)": "in no split; name them by --train, --validate or --test",
    }


def test_missing_validation_is_named(sound: Path) -> None:
    (sound / "val.tfrecord").unlink()
    why = "no shard belongs to it: no best weights, no --patience"
    assert found(indexed(sound), WRONG) == {"validation": why}


def test_one_hot_labels_are_suspected(sound: Path) -> None:
    labels = [np.eye(3, dtype=np.int64)[n % 3] for n in range(12)]
    written(sound, [frame_record(f"v{n}", 9, labels=of.tolist()) for n, of in enumerate(labels)])
    (sound / "val.tfrecord").unlink()
    assert (
        "each record has 3 of them, all 0 or 1: one-hot?" in found(indexed(sound), WRONG)["labels"]
    )


def test_repeated_labels_are_counted(sound: Path) -> None:
    written(sound, [frame_record("a", 9, [2, 2, 1]), frame_record("b", 9, [0])])
    why = found(indexed(sound), WRONG)["labels"]
    assert why == "repeated within 1 of 12 records; each counts once"


def test_class_far_beyond_the_others_is_suspected(sound: Path) -> None:
    (sound / "classes.csv").unlink()
    written(sound, [frame_record("a", 9, [900_000]), frame_record("b", 9, [0])])
    why = found(indexed(sound), WRONG)["900,001 classes"]
    assert why.startswith("the largest label is 900,000, but only 4 classes occur")


def test_ratings_of_other_windows_are_counted(sound: Path) -> None:
    written(sound, [rated_record("a", 9, [(0, 1, 1.0), (2, 1, 0.0)], labels=np.array([1]))])
    assert found(indexed(sound), "good to know") == {}
    (sound / "ratings.csv").write_text("id,start_s,end_s,class,value\na,0,5,1,1\na,3,9,1,1\n")
    why = "of windows that are not 5 s; each counts as it is"
    assert found(indexed(sound), "good to know") == {"1 of 2 ratings": why}


def test_ratings_that_repeat_or_contradict_others_are_counted(sound: Path) -> None:
    rows = ["v0,0,5,1,1", "v0,0,5,1,0.5", "v0,5,9,1,1", "v0,5,9,1,1", "v0,5,9,0,0", "v1,5,9,1,0"]
    (sound / "ratings.csv").write_text("\n".join(["id,start_s,end_s,class,value", *rows]) + "\n")
    reported = found(indexed(sound), WRONG)
    assert "another value" in reported["1 of 6 ratings contradict others"]
    assert "1 of 6 ratings are there already" in reported


def frames_like(values: object) -> list[bytes]:
    frames = np.broadcast_to(np.asarray(values, np.uint8), (20, 16))
    streams = {"rgb": np.ascontiguousarray(frames), "audio": some_frames(20, 4)}
    context: dict[str, Values] = {"labels": np.array([1])}
    return [
        encode_sequence_example({"id": [f"v{n}".encode()], **context}, streams) for n in range(12)
    ]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (0, "its 16 values are constant, all 0: nothing can be learned of it"),
        (np.arange(16), "its 16 values are constant, the same in each frame: nothing can be"),
        (
            np.where(np.arange(16) < 5, 7, some_frames(20, 16)),
            "5 of 16 values are constant or nearly so (5 fully)",
        ),
        (some_frames(20, 16) // 128, "its values have 2 distinct levels only"),
        (np.clip(some_frames(20, 16) * 3.0 - 200, 0, 255), "of its bytes are 0 or 255: cut off"),
    ],
)
def test_values_that_tell_little_are_named(tmp_path: Path, values: object, why: str) -> None:
    data = indexed(written(tmp_path, frames_like(values)))
    assert why in found(data, WRONG)["stream rgb"]
    assert "stream audio" not in found(data, WRONG)


def test_least_code_that_means_0_is_not_cut_off(tmp_path: Path) -> None:
    """As features behind a ReLU have it."""
    values = np.clip(some_frames(20, 16) * 2.0 - 200, 0, 254)
    folder = written(tmp_path, frames_like(values))
    for offset, is_named in ((0.0, False), (-1.0, True)):
        streams = tuple(
            StreamFeatures(
                name=name, width=width, dtype="uint8", scale=(1.0,) * width, offset=(of,) * width
            )
            for name, width, of in (("rgb", 16, offset), ("audio", 4, 0.0))
        )
        Features(streams=streams).save(folder)
        assert ("stream rgb" in found(indexed(folder), WRONG)) == is_named


def test_constant_vectors_are_named(tmp_path: Path) -> None:
    zeros = np.zeros(16, np.float32)
    records = [
        video_record(f"v{n}", mean_rgb=zeros, mean_audio=np.array([n, n % 3, 7 * n, 1.5 * n], "f4"))
        for n in range(40)
    ]
    assert "all 0" in found(indexed(written(tmp_path, records)), WRONG)["stream mean_rgb"]


def test_findings_are_a_line_of_each_kind_and_leave_validation_to_the_training(
    sound: Path,
) -> None:
    for name in "abcde":
        (sound / f"x.{name}").touch()
    (sound / "val.tfrecord").unlink()
    data = indexed(sound)
    assert "validation" in found(data, WRONG)
    (line,) = lines(data, find(data))
    assert line.startswith("not used: x.") and f"; and 2 more (`reeltag info {sound}`)" in line


JPEGS = [[b"\xff\xd8\xff" + bytes(n)] for n in (5, 9, 7)]


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([np.zeros(16, np.float32)] * 3, "lists of 16 floats"),
        ([np.zeros(16, np.int64)] * 3, "lists of 16 whole numbers"),
        (JPEGS, "JPEG pictures"),
        ([[b"x" * n] for n in (5, 9, 7)], r"byte strings of unequal length \(5 to 9\)"),
    ],
)
def test_frames_of_another_kind_are_named_with_the_way_out(
    tmp_path: Path, frames: list[Encodable], kind: str
) -> None:
    records = [any_record(f"v{n}", {"rgb": frames}) for n in range(3)]
    with pytest.raises(DataError, match=f"rgb holds {kind}") as raised:
        indexed(written(tmp_path, records))
    assert "reeltag import" in raised.value.hint
