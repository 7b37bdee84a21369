"""The data set: classes, labels, ratings and splits in one object."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.splits import Splits
from tests.data.corpora import NUM_CLASSES, a_video, frame_corpus, vector_corpus

RATINGS = "id,start_s,end_s,class,value\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write four videos in two shards, the first of them rated; 12 classes c0, c1, ..."""
    rated = a_video("a", 12, [(0, 3, 1.0), (5, 3, 0.0)])
    data = tmp_path / "data"
    validated = [a_video("c", 12), a_video("d", 4)]
    frame_corpus(data, {"train0": [rated, a_video("b", 12)], "validate0": validated})
    return data


def opened(path: str | Path, **options: str | Path | ClassList | tuple[Path, ...]) -> Dataset:
    return Dataset.open(path, jobs=1, quiet=True, **options)  # type: ignore[arg-type]


def labels_of(data: Dataset) -> dict[str, list[int]]:
    return dict(zip(data.table["id"].to_pylist(), data.table["labels"].to_pylist(), strict=True))


def test_dataset_describes_its_folder(folder: Path) -> None:
    data = opened(str(folder))
    assert (data.path, data.root, data.kind, len(data)) == (folder, folder, "frames", 4)
    assert data.shards == ("train0.tfrecord", "validate0.tfrecord")
    assert data.num_classes == len(data.classes) == NUM_CLASSES
    assert repr(data) == (
        f"Dataset('{folder}': 4 frame-level records in 2 shards, rgb 6, audio 3, 12 classes)"
    )


def test_items_carry_the_dataset(folder: Path) -> None:
    data = opened(folder)
    for items in (data.videos("train"), data.rated_segments("train"), data.select("train")):
        assert items.dataset is data
    assert data.videos("train").ids(np.arange(2)) == ["a", "b"]
    assert data.rated_segments("train").first.tolist() == [0, 5]


def test_splits_belong_to_the_dataset(folder: Path) -> None:
    data = opened(folder).with_splits(Splits(train="validate0"))
    assert data.shards_of("train") == [1] and len(data.videos("train")) == 2
    assert opened(folder).shards_of("train") == [0]


def test_one_shard_is_a_dataset(folder: Path) -> None:
    data = opened(folder / "train0.tfrecord")
    assert (data.root, data.path.name, len(data)) == (folder, "train0.tfrecord", 2)


def test_path_that_is_no_data_raises(folder: Path) -> None:
    with pytest.raises(DataError, match=r"is not there\n.*folder that holds \*\.tfrecord"):
        opened(folder / "gone")
    with pytest.raises(DataError, match=r"classes.csv: is neither a folder nor a shard"):
        opened(folder / "classes.csv")


def test_classes_replace_the_list_of_the_folder(folder: Path, tmp_path: Path) -> None:
    names = ClassList(tuple(f"own {number}" for number in range(NUM_CLASSES)))
    names.save(tmp_path / "own.csv")
    assert opened(folder, classes=names).classes is names
    data = opened(folder, classes=tmp_path / "own.csv")
    assert data.classes == names and data.sources == {"classes": tmp_path / "own.csv"}
    assert opened(folder, **data.sources).classes == names


def test_fewer_classes_drop_labels_that_are_outside(folder: Path) -> None:
    data = opened(folder, classes=ClassList.numbered(2))
    assert all(label < 2 for labels in labels_of(data).values() for label in labels)


def test_without_a_list_the_largest_label_decides(folder: Path) -> None:
    largest = max(label for labels in labels_of(opened(folder)).values() for label in labels)
    (folder / "classes.csv").unlink()
    data = opened(folder)
    assert data.classes == ClassList.numbered(max(largest, 3) + 1, inferred=True)


def test_segment_classes_must_fit_the_data(folder: Path) -> None:
    assert opened(folder).segment_classes() is None
    (folder / "segment_label_ids.csv").write_text("Index\n7\n2\n")
    listed = opened(folder).segment_classes()
    assert listed is not None and listed.listed == (7, 2)
    (folder / "segment_label_ids.csv").write_text("Index\n200\n")
    with pytest.raises(DataError, match=r"lists class 200; the data has 12 \(0 to 11\)"):
        opened(folder).segment_classes()


def test_segment_classes_of_the_parent_folder_are_ignored(folder: Path) -> None:
    (folder.parent / "segment_label_ids.csv").write_text("Index\n200\n")
    assert opened(folder).segment_classes() is None
    assert opened(folder / "train0.tfrecord").segment_classes() is None


def test_labels_by_name_and_index_replace_those_of_the_records(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("class,id,more\nC3,a,x\n1,a,y\n3,a,z\nc0,d,\n,b,\n")
    data = opened(folder, labels=tmp_path / "labels.csv")
    assert labels_of(data) == {"a": [1, 3], "b": [], "c": [], "d": [0]}
    assert data.videos("train").label_counts().tolist() == [0, 1, 0, 1, *[0] * 8]
    assert data.table.schema == opened(folder).table.schema
    assert data.rated_segments("train").first.tolist() == [0, 5]  # ratings stay


def test_labels_from_parquet_and_by_mid(folder: Path, tmp_path: Path) -> None:
    mids = ClassList(tuple("abcdefghijkl"), mids=tuple(f"/m/{n}" for n in range(NUM_CLASSES)))
    table = pa.table({"id": ["a", "b"], "class": pa.array(["/m/5", "b"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "l.parquet")
    found = labels_of(opened(folder, classes=mids, labels=tmp_path / "l.parquet"))
    assert found == {"a": [5], "b": [1], "c": [], "d": []}
    pq.write_table(pa.table({"id": ["c"], "class": [4]}), tmp_path / "l.parquet")
    assert labels_of(opened(folder, labels=tmp_path / "l.parquet"))["c"] == [4]


def test_labels_without_a_class_list_may_add_classes(folder: Path, tmp_path: Path) -> None:
    (folder / "classes.csv").unlink()
    (tmp_path / "labels.csv").write_text("id,class\na,40\n")
    data = opened(folder, labels=tmp_path / "labels.csv")
    assert data.num_classes == data.index.num_classes == 41


def test_unknown_ids_and_classes_are_counted_and_named(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("id,class\na,1\nx,1\ny,1\nx,2\na,dragon\n")
    assert labels_of(opened(folder, labels=tmp_path / "labels.csv"))["a"] == [1]
    logged = " ".join(capfd.readouterr().err.split())
    assert "3 rows are of ids that are not in" in logged and "'x', 'y'" in logged
    assert "1 rows are of classes that are not in the list and left out: 'dragon'" in logged
    (tmp_path / "labels.csv").write_text("id,class\nx,1\n")
    with pytest.raises(DataError, match="none of 1 rows names a video and a class of the data"):
        opened(folder, labels=tmp_path / "labels.csv")


def test_ratings_replace_those_of_the_records(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(RATINGS + "b,7,12,c1,0.25\nb,3,8,2,1\nb,7,12,1,1\nd,0,5,0,0\n")
    data = opened(folder, ratings=tmp_path / "r.csv")
    items = data.rated_segments("train")
    assert items.first.tolist() == [3, 7] and items.ids(np.arange(2)) == ["b", "b"]
    assert items.targets is not None and items.targets.entry_values().tolist() == [1, 1]  # the last
    assert data.rated_segments("validate").length.tolist() == [4]
    assert labels_of(data) == labels_of(opened(folder))
    assert data.sources == {"ratings": tmp_path / "r.csv"}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("a,-1,5,1,1", "start_s must be at least 0, got -1"),
        ("a,nan,5,1,1", "start_s must be at least 0, got nan"),
        ("a,5,5,1,1", "end_s must be after start_s, got 5"),
        ("a,5,inf,1,1", "end_s must be after start_s, got inf"),
        ("d,4,9,1,1", "start_s must be before the end of the video, got 4"),
        ("a,5,10,1,1.5", r"value must be in \[0, 1\], got 1.5"),
        ("a,5,10,1,nan", r"value must be in \[0, 1\], got nan"),
        ("a,5,10,1,yes", "value must be a number, got 'yes'"),
        ("a,,10,1,1", "start_s must be a number, got ''"),
    ],
)
def test_rating_out_of_range_is_refused(folder: Path, tmp_path: Path, row: str, rule: str) -> None:
    (tmp_path / "r.csv").write_text(f"{RATINGS}a,0,5,1,1\nunknown,0,5,1,1\n{row}\n")
    with pytest.raises(DataError, match=rf"r.csv, row 3: {rule}"):
        opened(folder, ratings=tmp_path / "r.csv")


@pytest.mark.parametrize(("rate", "first"), [(1.0, 2), (2.0, 4)])
def test_rating_of_any_window_takes_its_frames(
    folder: Path, tmp_path: Path, rate: float, first: int
) -> None:
    features = Features.published(opened(folder).streams)
    replace(features, rate_hz=rate).save(folder)
    (tmp_path / "r.csv").write_text(RATINGS + "a,2.25,3.0,1,1\na,2.25,4.5,1,0\nb,0,99,1,1\n")
    items = opened(folder, ratings=tmp_path / "r.csv").rated_segments("train")
    assert items.times is not None and items.times.tolist() == [[2.25, 3], [2.25, 4.5], [0, 99]]
    assert items.first.tolist() == [first, first, 0]
    # at 1 Hz the middles 2.5 | 2.5, 3.5; at 2 Hz 2.25, 2.75 | 2.25, 2.75, ... 4.25
    assert items.length.tolist() == ([1, 2, 12] if rate == 1 else [2, 5, 12])


def test_ratings_of_video_level_records_are_refused(tmp_path: Path) -> None:
    vector_corpus(tmp_path / "data")
    (tmp_path / "r.csv").write_text(RATINGS + "v0,0,5,1,1\n")
    with pytest.raises(DataError, match="has no segments to be rated"):
        opened(tmp_path / "data", ratings=tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("l.txt", "", "must end in .csv or .parquet"),
        ("l.csv", None, "cannot be read"),
        ("l.parquet", "id,class\n", "cannot be read"),
        ("l.csv", "id,label\na,1\n", r"has no column class \(it has: id, label\)"),
    ],
)
def test_file_that_is_no_table_raises(
    folder: Path, tmp_path: Path, name: str, text: str | None, rule: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rule):
        opened(folder, labels=tmp_path / name)
