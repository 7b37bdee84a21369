"""DATA/ratings.csv after ratings came in: what was there stays, and loads as before."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import OutputError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.rating_table import MergeCounts, Rating, RatingTable
from tests.data.made import frame_record, rated_record, rows, write_shard

NAMES = ("cat", "dog", "rain, heavy", "a;b", "7", "Cat")
IDS = ("a/one", "two", "three, 3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three videos of 12 frames and six classes with names that are hard to write."""
    data = tmp_path / "data"
    write_shard(data / "train0.tfrecord", [frame_record(name, 12) for name in IDS])
    ClassList(NAMES).save(data / "classes.csv")
    return data


def opened(folder: Path) -> Dataset:
    return Dataset.open(folder, jobs=1, quiet=True)


def loaded(folder: Path) -> set[tuple[str, float, float, int, float]]:
    """Return the ratings that the data set has, by the loader's own reading."""
    return {
        (row["id"], *rating[:3], round(rating[3], 6))
        for row in rows(opened(folder))
        for rating in zip(
            row["segment_starts"],
            row["segment_ends"],
            row["segment_labels"],
            row["segment_scores"],
            strict=True,
        )
    }


def merged(folder: Path, *ratings: tuple[str, float, float, int, float]) -> MergeCounts:
    """Merge ratings into the data set's file and return the counts."""
    table = RatingTable.open(opened(folder))
    counts = table.merge(Rating(*rating) for rating in ratings)
    table.save()
    return counts


def test_new_ratings_of_all_names_make_a_file_that_loads(folder: Path) -> None:
    given = [(name, c + 0.25, c + 2.125, c, 1.0) for name in IDS for c in range(len(NAMES))]
    assert merged(folder, *given) == MergeCounts(new=18)
    assert loaded(folder) == set(given)
    assert [path.name for path in folder.glob("ratings*")] == ["ratings.csv"]


def test_ratings_given_again_are_the_same_or_changed(folder: Path) -> None:
    merged(folder, ("two", 1.0, 2.0, 0, 1.0), ("two", 1.0, 2.0, 1, 0.3))
    counts = merged(
        folder,
        ("two", 1.0004, 2.0, 0, 1.0),  # less than a millisecond away
        ("two", 1.0, 2.0, 1, 0.0),
        ("two", 1.0, 2.5, 1, 0.0),
    )
    assert counts == MergeCounts(new=1, changed=1, same=1)
    assert loaded(folder) == {
        ("two", 1.0, 2.0, 0, 1.0),
        ("two", 1.0, 2.0, 1, 0.0),
        ("two", 1.0, 2.5, 1, 0.0),
    }


def test_rows_and_columns_that_are_there_stay(folder: Path) -> None:
    (folder / "ratings.csv").write_text(
        "note;file;start_s;end_s;class;value\nfirst, and;one.mp4;1;2;dog;1\n;gone;1;2;dog;1\n"
        "x;two;3;4.50;[0, 1];0\n"
    )
    counts = merged(
        folder,
        ("a/one", 1.0, 2.0, 1, 0.5),
        ("two", 3.0, 4.5, 0, 1.0),
        ("two", 3.0, 4.5, 1, 0.0),
        ("three, 3", 0.0, 1.0, 2, 1.0),
    )
    assert counts == MergeCounts(new=1, changed=2, same=1)
    assert (folder / "ratings.csv").read_text().splitlines() == [
        "note,file,start_s,end_s,class,value",
        '"first, and",one.mp4,1,2,dog,0.5',
        ",gone,1,2,dog,1",
        "x,two,3,4.50,dog,0",
        ",two,3,4.5,cat,1",
        ',"three, 3",0,1,"rain, heavy",1',
    ]
    assert loaded(folder) == {
        ("a/one", 1.0, 2.0, 1, 0.5),
        ("two", 3.0, 4.5, 1, 0.0),
        ("two", 3.0, 4.5, 0, 1.0),
        ("three, 3", 0.0, 1.0, 2, 1.0),
    }


def test_parquet_keeps_its_types_where_values_fit(folder: Path) -> None:
    columns = {
        "id": pa.array(["two"]),
        "start_s": pa.array([1], pa.int64()),
        "end_s": pa.array([2.0], pa.float32()),
        "class": pa.array([[0, 1]], pa.list_(pa.int32())),
        "value": pa.array([1], pa.int8()),
        "who": pa.array(["me"]),
    }
    pq.write_table(pa.table(columns), folder / "ratings.parquet")
    counts = merged(folder, ("two", 1.0, 2.0, 1, 0.0), ("two", 2.5, 3.0, 3, 1.0))
    assert counts == MergeCounts(new=1, changed=1)
    found = pq.read_table(folder / "ratings.parquet")
    assert found["class"].to_pylist() == [[0], [1], [3]] and found["who"].null_count == 2
    assert found["end_s"].type == pa.float32() and found["start_s"].to_pylist() == [1, 1, 2.5]
    assert loaded(folder) == {
        ("two", 1.0, 2.0, 0, 1.0),
        ("two", 1.0, 2.0, 1, 0.0),
        ("two", 2.5, 3.0, 3, 1.0),
    }


def test_ratings_of_the_records_go_into_the_new_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = rated_record("v", 12, [(0, 1, 1.0), (5, 2, 0.0)])
    write_shard(tmp_path / "train0.tfrecord", [record, frame_record("w", 12)])
    before = loaded(tmp_path)
    assert before == {("v", 0.0, 5.0, 1, 1.0), ("v", 5.0, 10.0, 2, 0.0)}
    assert merged(tmp_path, ("w", 1.0, 2.0, 0, 1.0)) == MergeCounts(new=1)
    assert "gets the 2 ratings of the records too, which it replaces" in capsys.readouterr().err
    assert loaded(tmp_path) == before | {("w", 1.0, 2.0, 0, 1.0)}


def test_file_is_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged(folder, ("two", 1.0, 2.0, 0, 1.0))
    before = (folder / "ratings.csv").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        merged(folder, ("two", 2.0, 3.0, 0, 1.0))
    monkeypatch.undo()
    assert (folder / "ratings.csv").read_bytes() == before
    assert not list(folder.glob("*.part"))
