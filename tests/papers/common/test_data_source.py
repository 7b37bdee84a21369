"""A data set's key: the same wherever it lies, another for whatever else is in it."""

import os
import shutil
from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.index import open_index
from reeltag.papers.common.data_source import data_source
from tests.data.made import frame_record, some_frames, write_shard


def key(data: Path) -> str:
    return data_source(data, open_index(data, quiet=True, jobs=1)).key


def written(
    folder: Path, labels: tuple[int, ...] = (1, 2), frames: int = 7, other: bool = False
) -> Path:
    folder.mkdir()
    frame = some_frames(frames, 16)[0].tobytes()
    records = [frame_record(f"v{i}", frames, labels) for i in range(3)]
    if other:
        records = [record.replace(frame, frame[::-1]) for record in records]
    write_shard(folder / "train0.tfrecord", records)
    return folder


def test_moved_copied_and_touched_data_are_the_same(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    before = key(data)
    copied = shutil.copytree(data, tmp_path / "b", ignore=shutil.ignore_patterns(".reeltag"))
    os.utime(copied / "train0.tfrecord", (1, 1))
    assert key(copied) == before
    assert key(data.rename(tmp_path / "c")) == before
    assert data_source(tmp_path / "c", open_index(tmp_path / "c")).path == tmp_path / "c"


def test_other_labels_frames_features_or_names_are_other_data(tmp_path: Path) -> None:
    folders = [
        written(tmp_path / "a"),
        written(tmp_path / "b", labels=(1, 3)),
        written(tmp_path / "c", frames=8),
        written(
            tmp_path / "d", other=True
        ),  # the same sizes, ids and labels: only the bytes differ
        written(tmp_path / "e"),
        written(tmp_path / "f"),
    ]
    (folders[4] / "train0.tfrecord").rename(folders[4] / "train1.tfrecord")
    (folders[5] / "segment_label_ids.csv").write_text("Index\n1\n")
    assert len({key(folder) for folder in folders}) == len(folders)


def test_a_shard_that_went_away_is_named(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    index = open_index(data, quiet=True, jobs=1)
    (data / "train0.tfrecord").unlink()
    with pytest.raises(DataError, match=r"train0.tfrecord: cannot be read"):
        data_source(data, index)
