"""A data set's key: the same wherever it is, another for whatever else is in it."""

import os
import shutil
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.papers.common.dataset_source import dataset_source
from tests.data.made import frame_record, some_frames, write_shard


def key(data: Path) -> str:
    return dataset_source(Dataset.open(data, quiet=True, jobs=1)).key


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


def test_dataset_key_stays_for_moved_copied_and_touched_data(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    before = key(data)
    copied = shutil.copytree(data, tmp_path / "b", ignore=shutil.ignore_patterns(".reeltag"))
    os.utime(copied / "train0.tfrecord", (1, 1))
    assert key(copied) == before
    assert key(data.rename(tmp_path / "c")) == before
    assert dataset_source(Dataset.open(tmp_path / "c")).path == tmp_path / "c"


def test_dataset_key_changes_with_labels_frames_features_and_names(tmp_path: Path) -> None:
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


def test_dataset_source_names_a_missing_shard(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    opened = Dataset.open(data, quiet=True, jobs=1)
    (data / "train0.tfrecord").unlink()
    with pytest.raises(DataError, match=r"train0.tfrecord: cannot be read"):
        dataset_source(opened)


def test_dataset_source_refuses_labels_of_another_file(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    (tmp_path / "labels.csv").write_text("id,class\nv0,1\n")
    with pytest.raises(ConfigError, match=r"labels.csv: replaces the labels of the folder"):
        dataset_source(Dataset.open(data, labels=tmp_path / "labels.csv", quiet=True))
