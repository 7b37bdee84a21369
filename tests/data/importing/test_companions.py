"""Labels, ratings and classes that are imported with features, or added to those of a data set."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from tests.data.importing.archives import imported, save_npy, some_videos

RATINGS = "id,start_s,end_s,class,value\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_npy(tmp_path / "in", some_videos(6))


@pytest.fixture
def more(tmp_path: Path) -> Path:
    return save_npy(
        tmp_path / "more", {f"n{i}": of for i, of in enumerate(some_videos(2).values())}
    )


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def labels_of(out: Path) -> dict[str, set[str]]:
    """Return id -> names of its labels, of videos that have one."""
    data = Dataset.open(out, quiet=True)
    pairs = zip(data.table["id"].to_pylist(), data.table["labels"].to_pylist(), strict=True)
    return {name: {data.classes.names[at] for at in of} for name, of in pairs if of}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("v0,-1,3,cat,1", "start_s must be at least 0, got -1"),
        ("v0,3,3,cat,1", "end_s must be after start_s, got 3"),
        ("v0,0,inf,cat,1", "end_s must be after start_s, got inf"),
        ("v0,0,3,cat,2", "value must be in [0, 1], got 2"),
        ("v0,0,3,cat,nan", "value must be in [0, 1], got nan"),
        ("zz,0,3,cat,1", "none of 1 rows names a video and a class of the data"),
    ],
)
def test_rating_that_cannot_be_used_is_refused_before_work(
    row: str, what: str, source: Path, tmp_path: Path
) -> None:
    ratings = written(tmp_path / "r.csv", RATINGS + row + "\n")
    with pytest.raises(DataError) as caught:
        imported(source, tmp_path / "out", ratings=ratings)
    assert caught.value.what == what and caught.value.where.startswith(str(ratings))
    assert {path.name for path in tmp_path.iterdir()} == {"in", "r.csv"}


def test_rating_behind_its_video_is_refused_and_corrected_without_work(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ratings = written(tmp_path / "r.csv", RATINGS + "v1,0,3,cat,1\nv0,9,12,cat,1\n")
    with pytest.raises(DataError, match="row 2: start_s must be before the end of the video"):
        imported(source, tmp_path / "out", ratings=ratings, rate=2)
    assert not (tmp_path / "out").exists()
    written(ratings, RATINGS + "v1,0,3,cat,1\nv0,1,12,cat,1\n")
    imported(source, tmp_path / "out", ratings=ratings, rate=2)
    assert "1 ratings end after their video" in capfd.readouterr().err
    assert len(Dataset.open(tmp_path / "out", quiet=True).table) == 6


def test_ratings_of_vectors_are_refused(tmp_path: Path) -> None:
    vectors: Any = {f"v{i}": {"rgb": np.ones((1, 4)) * i} for i in range(4)}
    ratings = written(tmp_path / "r.csv", RATINGS + "v1,0,3,cat,1\n")
    with pytest.raises(DataError, match="one vector per video"):
        imported(save_npy(tmp_path / "in", vectors), tmp_path / "out", ratings=ratings)


def test_unknown_ids_and_classes_are_named_at_the_import(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = written(tmp_path / "l.csv", "id,class\nv0,cat\nzz,cat\nv1,elk\n")
    classes = written(tmp_path / "c.csv", "index,name\n0,cat\n")
    imported(source, tmp_path / "out", labels=labels, classes=classes)
    logged = capfd.readouterr().err
    assert "1 rows are of ids that are not in" in logged and "'zz'" in logged
    assert "1 rows are of classes that are not in the list and left out: 'elk'" in logged


@pytest.mark.parametrize("first", ["l.csv", "l.tsv", "l.parquet"])
@pytest.mark.parametrize("second", ["m.csv", "m.tsv", "m.parquet"])
def test_rows_are_added_to_a_table_of_any_kind(
    first: str, second: str, source: Path, more: Path, tmp_path: Path
) -> None:
    def table(name: str, **columns: list[str]) -> Path:
        path = tmp_path / name
        if path.suffix == ".parquet":
            pq.write_table(pa.table(columns), path)
            return path
        mark = "\t" if path.suffix == ".tsv" else ";"
        rows = [list(columns), *zip(*columns.values(), strict=True)]
        return written(path, "".join(mark.join(row) + "\n" for row in rows))

    out = tmp_path / "out"
    imported(source, out, labels=table(first, id=["v0", "v1"], **{"class": ["a, b", "c"]}))
    added = table(second, **{"class": ["c", "c"]}, id=["v1", "n0"])
    imported(more, out, labels=added, append=True)
    assert labels_of(out) == {"v0": {"a, b"}, "v1": {"c"}, "n0": {"c"}}
    number = sum(1 for path in out.iterdir() if path.stem == "labels")
    assert number == 1


def test_rows_that_are_there_are_not_added_again(source: Path, more: Path, tmp_path: Path) -> None:
    out, ratings = tmp_path / "out", tmp_path / "r.csv"
    imported(source, out, ratings=written(ratings, RATINGS + "v0,0,3,cat,1\n"))
    written(ratings, RATINGS + "v0,0,3,cat,1\nn0,0,3,cat,0\n")
    imported(more, out, ratings=ratings, append=True)
    assert (out / "ratings.csv").read_text() == ratings.read_text()


def test_added_labels_bring_classes_where_there_are_none(
    source: Path, more: Path, tmp_path: Path
) -> None:
    out, labels = tmp_path / "out", tmp_path / "l.csv"
    imported(source, out)
    imported(more, out, labels=written(labels, "id,class\nn0,elk\nv1,dog\n"), append=True)
    assert labels_of(out) == {"n0": {"elk"}, "v1": {"dog"}}


def test_names_are_not_added_to_numbers(source: Path, more: Path, tmp_path: Path) -> None:
    out, labels = tmp_path / "out", tmp_path / "l.csv"
    imported(source, out, labels=written(labels, "id,class\nv0,3\n"))
    with pytest.raises(DataError, match="has labels by numbers and no class list") as caught:
        imported(more, out, labels=written(labels, "id,class\nn0,elk\n"), append=True)
    assert "--classes" in caught.value.hint


def test_longer_class_list_takes_the_place_of_a_shorter(
    source: Path, more: Path, tmp_path: Path
) -> None:
    out, labels, classes = tmp_path / "out", tmp_path / "l.csv", tmp_path / "c.csv"
    imported(source, out, labels=written(labels, "id,class\nv0,cat\nv1,dog\n"))
    written(labels, "id,class\nn0,elk\n")
    written(classes, "index,name\n0,dog\n1,cat\n2,elk\n")
    with pytest.raises(DataError, match="class 0 is 'dog'; in .*classes.csv it is 'cat'"):
        imported(more, out, labels=labels, classes=classes, append=True)
    written(classes, "index,name\n0,cat\n1,dog\n2,elk\n")
    imported(more, out, labels=labels, classes=classes, append=True)
    assert labels_of(out) == {"v0": {"cat"}, "v1": {"dog"}, "n0": {"elk"}}


def test_columns_of_other_types_are_not_added(source: Path, more: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pq.write_table(pa.table({"id": ["v0"], "class": [3]}), tmp_path / "l.parquet")
    imported(source, out, labels=tmp_path / "l.parquet")
    classes = written(tmp_path / "c.csv", "index,name\n0,cat\n")
    labels = written(tmp_path / "l.csv", "id,class\nn0,cat\n")
    with pytest.raises(DataError, match="its columns are of other types") as caught:
        imported(more, out, labels=labels, classes=classes, append=True)
    assert "parquet" in caught.value.hint
    assert not (out / "classes.csv").exists()
