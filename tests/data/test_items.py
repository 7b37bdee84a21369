"""Items of a set: which records, which seconds, which labels, and what is left out."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.splits import Splits
from tests.data.corpora import (
    NUM_CLASSES,
    Corpus,
    a_video,
    frame_corpus,
    many_videos,
    segment_grid,
    vector_corpus,
    write_shard,
)

RATINGS = {
    # one segment rated for two classes, one of them twice; another; one cut by the end
    "a": [(10, 3, 1.0), (5, 7, 0.0), (10, 1, 0.0), (10, 3, 0.0), (15, 3, 1.0)],
    "b": [],
    "c": [(0, 11, 1.0)],
}


@pytest.fixture
def rated(tmp_path: Path) -> Corpus:
    """Three videos of 17, 8 and 3 frames, in two shards."""
    a, b, c = (
        a_video(name, length, RATINGS[name]) for name, length in zip("abc", (17, 8, 3), strict=True)
    )
    return frame_corpus(tmp_path, {"train0": [a, b], "train1": [c], "test0": [a_video("d", 9)]})


def ids(items: VideoSet) -> list[str]:
    return items.ids(np.arange(len(items)))


def labels(items: VideoSet, item: int) -> dict[int, float]:
    assert items.targets is not None
    _, entries = items.targets.entries_of(np.array([item]))
    values, _ = items.targets.at(entries)
    return dict(zip(items.targets.classes[entries].tolist(), values.tolist(), strict=True))


NO_HOLDOUT = Splits(holdout=0)


def test_whole_videos_carry_their_own_labels(rated: Corpus) -> None:
    items = rated.data.with_splits(NO_HOLDOUT).videos()
    assert ids(items) == ["a", "b", "c"] and not items.segments
    assert items.length.tolist() == [17, 8, 3]
    for item, name in enumerate("abc"):
        assert set(labels(items, item)) == set(rated.videos[name].labels)


def test_rated_segments_are_one_item_a_start_and_the_last_rating_counts(rated: Corpus) -> None:
    items = rated.data.with_splits(NO_HOLDOUT).rated_segments()
    assert ids(items) == ["a", "a", "a", "c"] and items.segments
    assert items.first.tolist() == [5, 10, 15, 0]
    assert items.length.tolist() == [5, 5, 2, 3]
    assert [labels(items, item) for item in range(4)] == [
        {7: 0.0},
        {1: 0.0, 3: 0.0},  # 3 was rated 1 first
        {3: 1.0},
        {11: 1.0},
    ]


def test_counts_of_labels_come_from_the_index_alone(rated: Corpus) -> None:
    whole = rated.data.with_splits(NO_HOLDOUT).videos()
    expected = np.zeros(NUM_CLASSES, int)
    for name in "abc":
        expected[list(rated.videos[name].labels)] += 1
    assert whole.label_counts().tolist() == expected.tolist()
    assert whole.known_counts().tolist() == [3] * NUM_CLASSES
    segments = rated.data.with_splits(NO_HOLDOUT).rated_segments()
    counted = {c: n for c, n in enumerate(segments.label_counts().tolist()) if n}
    known = {c: n for c, n in enumerate(segments.known_counts().tolist()) if n}
    assert counted == {3: 1, 11: 1} and known == {1: 1, 3: 2, 7: 1, 11: 1}


def test_rows_restrict_a_set_by_mask_or_by_number(tmp_path: Path) -> None:
    dataset = many_videos(tmp_path).data
    mask = np.arange(40) % 3 == 0
    chosen = dataset.videos("all", rows=mask)
    every = ids(dataset.videos("all"))
    assert ids(chosen) == every[::3]
    assert ids(dataset.videos("all", rows=np.flatnonzero(mask))) == every[::3]
    assert ids(dataset.videos("validate", rows=mask)) == ["3-0", "3-3", "3-6", "3-9"]


def test_streams_may_be_left_out_and_reordered_and_unknown_ones_are_named(rated: Corpus) -> None:
    assert [s.name for s in rated.data.videos().streams] == ["rgb", "audio"]
    chosen = rated.data.videos(streams=("audio", "rgb"))
    assert [(s.name, s.width) for s in chosen.streams] == [("audio", 3), ("rgb", 6)]
    for wrong in (("audio", "depth"), (), ("rgb", "rgb")):
        with pytest.raises(ConfigError, match=r"streams: .* rgb \(6\), audio \(3\)"):
            rated.data.videos(streams=wrong)


def test_broken_records_are_left_out_and_counted_by_kind(tmp_path: Path) -> None:
    good = [a_video(f"v{number}", 4) for number in range(3)]
    payloads = [video.payload for video in (*good, good[0], a_video("w", 0))]
    write_shard(tmp_path / "train0.tfrecord", [*payloads, b"\xff\xff"])
    write_shard(tmp_path / "test0.tfrecord", [a_video("x", 4).payload, b"\xff", b"\xff"])
    dataset = Dataset.open(tmp_path, jobs=1, quiet=True)
    items = dataset.videos()
    assert ids(items) == ["v0", "v1", "v2"]
    assert items.skipped == {"duplicate id": 1, "undecodable": 1, "zero frames": 1}
    assert dataset.videos("test").skipped == {"undecodable": 2}


def test_nothing_usable_names_what_was_found(rated: Corpus) -> None:
    with pytest.raises(
        ConfigError, match=r"'train' holds no usable record: 3 records in 2 shards \(train0.* 0 of"
    ):
        rated.data.with_splits(NO_HOLDOUT).videos(rows=np.zeros(4, bool))
    with pytest.raises(ConfigError, match=r"none of the 1 videos of the split 'test' has rated"):
        rated.data.rated_segments("test")


def test_video_level_records_have_no_segments(tmp_path: Path) -> None:
    dataset, _ = vector_corpus(tmp_path)
    with pytest.raises(ConfigError, match="one vector per video, which has no segments"):
        dataset.rated_segments("all")


def test_places_of_items_are_those_of_the_index(tmp_path: Path) -> None:
    dataset = many_videos(tmp_path).data
    items = segment_grid(dataset.videos("all"))
    rows = items.video
    assert items.shard.tolist() == dataset.table["shard"].to_numpy()[rows].tolist()
    assert items.offset.tolist() == dataset.table["offset"].to_numpy()[rows].tolist()
    assert len(items) == sum(-(-length // 5) for length in dataset.table["frames"].to_pylist())
