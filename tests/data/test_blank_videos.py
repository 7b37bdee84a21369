"""Videos without a picture: found by the published rule, whatever else is in their batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.blank_videos import FRAMES, BlankRule, blank_rows
from tests.data.blank import frames_of, ids_where, write_blank
from tests.data.made import indexed, video_record, write_shard

STREAMS = [("rgb", 16), ("audio", 4)]


def batch_of(*videos: np.ndarray) -> FrameBatch:
    longest = max(map(len, videos)) + 3
    frames = torch.full((len(videos), longest, videos[0].shape[1]), 77.0).to(
        torch.from_numpy(videos[0]).dtype
    )
    mask = torch.zeros(len(videos), longest, dtype=torch.bool)
    for row, video in enumerate(videos):
        frames[row, : len(video)], mask[row, : len(video)] = torch.from_numpy(video), True
    return FrameBatch(frames=frames, mask=mask)


def test_deviation_is_that_of_the_dequantised_mean_frame() -> None:
    video = frames_of("a")
    mean = (video[:, :16].astype(np.float64) * (4 / 255) + (4 / 512 - 2)).mean(axis=0)
    std = float(np.std(mean))
    above, below = (
        BlankRule.of(STREAMS, std * by, Path("d")).find(batch_of(video, frames_of("blank-b")))
        for by in (1 + 1e-9, 1 - 1e-9)
    )
    assert above.tolist() == [True, True] and below.tolist() == [False, True]


def test_floats_are_taken_as_they_are_and_nan_is_for_others_to_find() -> None:
    rule = BlankRule.of([("mean_audio", 2), ("mean_rgb", 2)], 0.1, Path("d"))
    rows = [[[9, 0, 0.0, 0.19]], [[0, 9, 0.0, 0.21]], [[0, 0, np.nan, 0]]]
    found = rule.find(batch_of(*np.array(rows, np.float32)))
    assert found.tolist() == [True, False, False]  # deviations 0.095, 0.105, none


def test_frames_that_differ_make_no_picture_if_their_mean_is_even() -> None:
    flicker = np.stack([np.arange(20), 200 - np.arange(20)]).astype(np.uint8)
    assert BlankRule.of(STREAMS, 0.0, Path("d")).find(batch_of(flicker)).tolist() == [True]


def test_blank_rule_looks_at_the_first_frames_of_a_long_video() -> None:
    even, picture = np.full((FRAMES, 20), 9, np.uint8), np.tile(frames_of("a")[:1], (50, 1))
    rule = BlankRule.of(STREAMS, 0.1, Path("d"))
    assert rule.find(batch_of(np.concatenate([even, picture]))).tolist() == [True]
    assert rule.find(batch_of(np.concatenate([picture, even]))).tolist() == [False]


@pytest.mark.parametrize("level", ["frames", "video"])
def test_rows_of_a_split_are_found_and_no_others(tmp_path: Path, level: str) -> None:
    dataset = write_blank(tmp_path, level=level)
    found = blank_rows(dataset, "test", 0.1, quiet=True)
    assert ids_where(dataset, found) == {"blank-m", "blank-o"}
    found = blank_rows(dataset, "train", 0.1, quiet=True)
    assert ids_where(dataset, found) == {"blank-b", "blank-f"}


def test_broken_records_do_not_shift_the_rows(tmp_path: Path) -> None:
    even = np.zeros(16, np.float32)
    records = [
        video_record("a"),
        b"broken",
        video_record("blank", mean_rgb=even),
        video_record("b"),
    ]
    write_shard(tmp_path / "train0.tfrecord", records)
    dataset = indexed(tmp_path, jobs=1)
    found = blank_rows(dataset, "train", 0.1, quiet=True)
    assert ids_where(dataset, found) == {"blank"}


def test_blank_rule_raises_for_data_without_rgb(tmp_path: Path) -> None:
    dataset = write_blank(tmp_path)
    with pytest.raises(ConfigError, match="needs the rgb stream; read are audio"):
        BlankRule.of([("audio", 4)], 0.1, Path("d"))
    with pytest.raises(ConfigError, match="all 5 videos of the split 'test' are blank by a std of"):
        blank_rows(dataset, "test", 9.0, quiet=True)
