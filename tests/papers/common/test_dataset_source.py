"""A data set's key: the same wherever it is, another for whatever else is in it."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.papers.common.dataset_source import DatasetSource, dataset_source, open_data
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


def test_dataset_key_follows_the_content_of_given_labels(tmp_path: Path) -> None:
    data, labels = written(tmp_path / "a"), tmp_path / "labels.csv"

    def source() -> DatasetSource:
        return dataset_source(Dataset.open(data, labels=labels, quiet=True, jobs=1))

    rows = [f"v{video},{label}\n" for video in range(3) for label in (1, 2)]
    labels.write_text("id,class\n" + "".join(rows))
    assert source().key == key(data)  # they are those of the records
    labels.write_text("id,class\n" + "".join(reversed(rows)))
    assert source().key == key(data)
    labels.write_text("id,class\n" + "".join(rows[1:]))
    planned = source()
    assert planned.key != key(data)
    digest = hashlib.sha256(labels.read_bytes()).hexdigest()
    assert f"({data}, labels {labels} sha256:{digest[:12]})" in planned.label()


def test_dataset_source_without_ratings_keeps_labels(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    assert dataset_source(Dataset.open(data, quiet=True)).without_ratings.key == key(data)
    (tmp_path / "labels.csv").write_text("id,class\nv0,1\n")
    (tmp_path / "ratings.csv").write_text("id,start_s,end_s,class,value\nv0,0,5,1,1\n")
    file, ratings = tmp_path / "labels.csv", tmp_path / "ratings.csv"
    both = dataset_source(Dataset.open(data, quiet=True, labels=file, ratings=ratings))
    labels = dataset_source(Dataset.open(data, quiet=True, labels=file))
    assert both.without_ratings.key == labels.key != both.key
    assert both.without_ratings.paths == (data, file)


def test_several_files_of_labels_are_opened_together(tmp_path: Path) -> None:
    data, one, two = written(tmp_path / "a"), tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("id,class\nv0,1\n")
    two.write_text("id,class\nv0,2\nv1,0\n")
    source = dataset_source(Dataset.open(data, labels=[one, two], quiet=True))
    assert source.paths == (data, one, two)
    assert open_data(source.files, quiet=True).table["labels"].to_pylist() == [[1, 2], [0], []]
    assert f"labels {one} and {two} sha256:" in source.label()
    two.write_text("id,class\nv0,2\n")
    with pytest.raises(DataError, match=r"1.csv and .*2.csv: has changed since"):
        open_data(source.files, quiet=True)


def test_labels_that_appear_in_the_folder_later_are_not_read_by_steps(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    source = dataset_source(Dataset.open(data, quiet=True))
    (data / "labels.csv").write_text("id,class\nv0,0\n")
    assert open_data(source.files, quiet=True).table["labels"].to_pylist() == [[1, 2]] * 3
    found = dataset_source(Dataset.open(data, quiet=True))
    assert found.key != source.key and found.paths == (data, data / "labels.csv")


def test_open_data_raises_for_a_file_changed_after_planning(tmp_path: Path) -> None:
    data, labels = written(tmp_path / "a"), tmp_path / "labels.csv"
    labels.write_text("id,class\nv0,1\n")
    location = dataset_source(Dataset.open(data, labels=labels, quiet=True)).files
    assert open_data(location, quiet=True).table["labels"].to_pylist() == [[1], [], []]
    labels.write_text("id,class\nv0,2\n")
    with pytest.raises(DataError, match=r"labels.csv: has changed since the steps that read"):
        open_data(location, quiet=True)


def test_dataset_source_raises_for_a_class_list_without_file(tmp_path: Path) -> None:
    data = written(tmp_path / "a")
    classes = ClassList(("one", "two", "three"))
    with pytest.raises(ConfigError, match="the class list is in memory alone"):
        dataset_source(Dataset.open(data, classes=classes, quiet=True))
    classes.save(tmp_path / "names.csv")
    opened = Dataset.open(data, classes=tmp_path / "names.csv", quiet=True)
    assert open_data(dataset_source(opened).files).classes.names == classes.names


def test_dataset_source_raises_for_splits_that_the_program_chooses(tmp_path: Path) -> None:
    data = Dataset.open(written(tmp_path / "a"), splits=Splits(train="train*"), quiet=True)
    with pytest.raises(ConfigError, match="a program divides its data itself"):
        dataset_source(data)
