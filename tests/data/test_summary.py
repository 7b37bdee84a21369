"""The numbers of a data set, against small sets counted by hand."""

from pathlib import Path

import pytest

from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.data.summary import summarise
from tests.data.made import frame_record, rated_record, video_record, write_shard


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_shard(
        tmp_path / "train1.tfrecord",
        [frame_record("a", 10, [1, 3]), frame_record("b", 20, [3]), frame_record("c", 0, [9])],
    )
    ratings = [(0, 1, 1.0), (0, 2, 0.0), (5, 1, 0.0), (90, 1, 1.0)]
    write_shard(
        tmp_path / "validate1.tfrecord",
        [frame_record("d", 30, []), rated_record("e", 60, ratings), frame_record("d", 30)],
    )
    return Dataset.open(tmp_path, quiet=True)


def test_videos_that_are_skipped_count_as_problems_only(dataset: Dataset) -> None:
    summary = summarise(dataset)
    assert (summary.records, summary.videos) == (6, 4)
    assert summary.hours == pytest.approx(120 / 3600)
    assert summary.frames == {"min": 10, "median": 25.0, "max": 60}
    assert summary.labels == {"mean": 5 / 4, "max": 2, "unlabelled": 1}
    assert summary.classes.tolist() == [0, 2, 1, 2, 0, 0, 0, 0, 0, 0]


def test_splits_go_by_the_published_names(dataset: Dataset) -> None:
    splits = summarise(dataset).splits
    assert splits == {
        "train": {"shards": 1, "videos": 2, "hours": pytest.approx(30 / 3600)},
        "validate": {"shards": 1, "videos": 2, "hours": pytest.approx(90 / 3600)},
    }
    assert list(summarise(dataset.with_splits(Splits(test="validate*"))).splits) == [
        "train",
        "test",
    ]


def test_rated_segments_are_counted(dataset: Dataset) -> None:
    segments = summarise(dataset).segments
    assert segments == {"videos": 1, "segments": 2, "ratings": 3, "positive": 1}


def test_problems_name_file_and_offset_of_the_first(dataset: Dataset) -> None:
    problems = summarise(dataset).problems
    assert {entry["problem"]: entry["records"] for entry in problems} == {
        "zero frames": 1,
        "duplicate id": 1,
        "segment past the end": 1,
    }
    first = next(entry for entry in problems if entry["problem"] == "duplicate id")
    assert first["file"] == "validate1.tfrecord"
    assert first["offset"] == dataset.table["offset"][5].as_py()
    assert first["skipped"] and not all(entry["skipped"] for entry in problems)


def test_most_frequent_classes_have_names_and_ties_keep_their_order(dataset: Dataset) -> None:
    summary = summarise(dataset)
    assert summary.top_classes("ABCDEFGHIJ", 2) == [
        {"class": 1, "name": "B", "videos": 2},
        {"class": 3, "name": "D", "videos": 2},
    ]
    found = summary.top_classes(dataset.classes.names, 99)
    assert [entry["name"] for entry in found] == ["class 1", "class 3", "class 2"]


def test_video_level_records_have_no_length(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", [video_record("a"), video_record("b")])
    summary = summarise(Dataset.open(tmp_path, quiet=True))
    assert (summary.videos, summary.hours, summary.frames) == (2, None, None)
    assert summary.splits == {} and summary.problems == []


def test_data_set_of_which_nothing_can_be_used(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", [frame_record("a", id=[])])
    summary = summarise(Dataset.open(tmp_path, quiet=True))
    assert (summary.videos, summary.hours, summary.frames) == (0, 0.0, None)
    assert summary.labels == {"mean": 0.0, "max": 0, "unlabelled": 0}
    assert summary.top_classes((), 5) == []
