"""Labels and ratings in files of many forms: what is found, matched, joined, refused."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from tests.data.made import frame_record, rows, write_shard

RATINGS = "id,start_s,end_s,class,value\n"
NAMES = ("cat", "dog", "rain, heavy", "wind")
IDS = ("a/one", "a/two", "b/two.mp4", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four videos of 12 frames with the labels 1 and 2, of four classes."""
    data = tmp_path / "data"
    write_shard(data / "train0.tfrecord", [frame_record(name, 12) for name in IDS])
    ClassList(NAMES, mids=("/m/c", "/m/d", "/m/r", "/m/w")).save(data / "classes.csv")
    return data


def opened(folder: Path, **files: Path | tuple[Path, ...] | None) -> Dataset:
    return Dataset.open(folder, jobs=1, quiet=True, **files)  # type: ignore[arg-type]


def labels_of(data: Dataset) -> dict[str, list[int]]:
    return {row["id"]: row["labels"] for row in rows(data)}


def labelled(folder: Path, content: str | bytes, name: str = "labels.csv") -> dict[str, list[int]]:
    """Return the labels of the videos that have some, by a file in the data folder."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {name: found for name, found in labels_of(opened(folder)).items() if found}


def test_labels_in_the_folder_are_found_reported_and_recorded(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert labels_of(opened(folder))["three"] == [1, 2]
    assert labelled(folder, "id,class\nthree,cat\n") == {"three": [0]}
    assert opened(folder).sources == {"labels": folder / "labels.csv"}
    said = " ".join(capfd.readouterr().err.split())
    assert f"labels are those of {folder}/labels.csv, in place of those in the records" in said
    assert labels_of(opened(folder, labels=()))["three"] == [1, 2]
    assert opened(folder, labels=()).sources == {}


def test_annotations_of_records_without_any_replace_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a", 12, labels=())])
    (tmp_path / "classes.csv").write_text("index,name\n0,cat\n")
    (tmp_path / "labels.csv").write_text("id,class\na,cat\n")
    (tmp_path / "ratings.csv").write_text("id,start_s,end_s,class,value\na,0,1,cat,1\n")
    assert set(opened(tmp_path).sources) == {"labels", "ratings"}
    assert "in place of" not in capfd.readouterr().err


def test_labels_found_by_a_single_shard_are_of_its_folder(folder: Path) -> None:
    labelled(folder, "id,class\nthree,cat\n")
    assert labels_of(opened(folder / "train0.tfrecord"))["three"] == [0]


def test_ratings_in_the_folder_are_found(folder: Path) -> None:
    (folder / "ratings.csv").write_text(RATINGS + "three,3,9,dog,1\nthree,9,12,1,0\n")
    data = opened(folder)
    assert data.sources == {"ratings": folder / "ratings.csv"}
    row = rows(data)[3]
    assert (row["segment_starts"], row["segment_ends"]) == ([3, 9], [9, 12])
    assert (row["segment_labels"], row["segment_scores"]) == ([1, 1], [1, 0])


def test_labels_in_two_files_of_the_folder_raise(folder: Path) -> None:
    (folder / "labels.csv").write_text("id,class\nthree,cat\n")
    (folder / "labels.parquet").touch()
    with pytest.raises(DataError, match=r"labels.csv: there is labels.parquet too"):
        opened(folder)


def test_several_files_are_joined(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.parquet"
    one.write_text("id,class\nthree,cat\nthree,dog\n")
    pq.write_table(pa.table({"id": ["three", "a/one"], "class": ["dog", "wind"]}), two)
    data = opened(folder, labels=(one, two))
    assert labels_of(data) == {"a/one": [3], "a/two": [], "b/two.mp4": [], "three": [0, 1]}
    assert data.sources == {"labels": (one, two)}
    assert labels_of(opened(folder, **data.sources)) == labels_of(data)
    assert f"labels are those of {one} and {two}, joined" in capfd.readouterr().err
    first, second = tmp_path / "r1.csv", tmp_path / "r2.csv"
    first.write_text(RATINGS + "three,0,5,cat,1\n")
    second.write_text(RATINGS + "a/one,0,2,cat,1\nthree,5,7,dog,0\n")
    found = rows(opened(folder, ratings=(first, second)))
    assert [row["segment_ends"] for row in found] == [[2], [], [], [5, 7]]


@pytest.mark.parametrize(
    ("column", "name", "found"),
    [
        ("file", "three.npy", "three"),
        ("file", "three", "three"),
        ("video", "clips/a/one.webm", "a/one"),
        ("video", "one", "a/one"),
        ("file", r"a\two.mp4", "a/two"),
        ("id", "./b/two.wav", "b/two.mp4"),
        ("Video", " three ", "three"),
    ],
)
def test_file_name_matches_the_id(folder: Path, column: str, name: str, found: str) -> None:
    assert labelled(folder, f"{column},class\n{name},cat\n") == {found: [0]}


def test_names_of_files_that_are_taken_for_ids_are_logged(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labelled(folder, "file,class\nthree.npy,cat\none.npy,cat\nc/one.npy,cat\n")
    said = " ".join(capfd.readouterr().err.split())
    assert "2 names of files are taken for ids, such as 'three.npy' for 'three'" in said
    assert "1 rows are of ids that are not in" in said and "'c/one.npy'" in said


def test_ambiguous_file_name_names_both_videos(folder: Path) -> None:
    with pytest.raises(DataError, match=r"csv, row 2: 'two.npy' may be 'a/two' or 'b/two.mp4'"):
        labelled(folder, "file,class\nthree,cat\ntwo.npy,cat\n")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("cat;wind", [0, 3]),
        ("cat|/m/w", [0, 3]),
        ('"cat, wind"', [0, 3]),
        ('"rain, heavy"', [2]),
        ('"rain, heavy;cat"', [0, 2]),
        ('"[1, 2]"', [1, 2]),
        ("\"['cat', 'rain, heavy']\"", [0, 2]),
        ('"/m/c,/m/d"', [0, 1]),
        ("3", [3]),
        ("DOG", [1]),
        ("cat;dragon", [0]),
    ],
)
def test_cell_may_hold_several_classes(folder: Path, cell: str, found: list[int]) -> None:
    assert labelled(folder, f"id,class\nthree,{cell}\na/one,[]\n") == {"three": found}


def test_list_column_of_parquet(folder: Path, tmp_path: Path) -> None:
    for cells, name in (([[0, 3], [], None], "i"), ([["cat", "wind"], [], None], "s")):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"id": ["three", "a/one", "a/two"], "class": cells}), path)
        found = labels_of(opened(folder, labels=path))
        assert found == {"a/one": [], "a/two": [], "b/two.mp4": [], "three": [0, 3]}


def test_one_hot_table(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = 'file,cat,"rain, heavy",/m/w,note\nthree.mp4,1,0,true,x\none,0,0,,\na/two,0.0,1,FALSE,\n'
    assert labelled(folder, text) == {"three": [0, 3], "a/two": [2]}
    assert "columns that are no class are left out: note" in capfd.readouterr().err
    with pytest.raises(DataError, match=r"csv, row 2: cat must be 0 or 1.*got '0.4'"):
        labelled(folder, "id,cat,dog\nthree,1,0\na/one,0.4,0\n")


def test_one_hot_table_by_numbers_needs_no_class_list(folder: Path, tmp_path: Path) -> None:
    (folder / "classes.csv").unlink()
    path = tmp_path / "l.parquet"
    pq.write_table(pa.table({"id": ["three"], "0": [True], "7": [True], "8": [False]}), path)
    data = opened(folder, labels=path)
    assert labels_of(data)["three"] == [0, 7] and data.num_classes == 8


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffid,class\nthree,cat\n".encode(),
        "id,class\nthree,cat\n".encode("utf-16"),
        b"id;class\r\nthree;cat\r\n",
        b"id\tclass\nthree\tcat\n",
        b"ID, Class\nthree, cat\n",
        b"id,class\rthree,cat\r",
    ],
)
def test_csv_as_spreadsheets_write_it(folder: Path, content: bytes) -> None:
    assert labelled(folder, content) == {"three": [0]}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "labels.csv: is empty"),
        (b"\n\n", "labels.csv: is empty"),
        (b"id,class\n", "labels.csv: has a header and no row"),
        (b"id,class\nthree,caf\xe9\n", "labels.csv, line 2: is not UTF-8 at byte 0xe9: Latin-1"),
        ("id,class\nthree,cat\n".encode("utf-16-le"), "holds zero bytes: UTF-16 without a byte"),
        (b"id,class\nthree,cat\nthree,rain, heavy\n", "csv, row 2: has 3 values; the header has 2"),
        (b"name,class\nthree,cat\n", r"has no column id \(it has: name, class\)"),
        (b"id,tag\nthree,cat\n", r"has no column class \(it has: id, tag\)"),
        (b"id,class,id\nthree,cat,x\n", "has the column id twice"),
    ],
)
def test_csv_that_cannot_be_read_names_file_row_and_rule(
    folder: Path, content: bytes, error: str
) -> None:
    with pytest.raises(DataError, match=error) as raised:
        labelled(folder, content)
    assert raised.value.hint


@pytest.mark.parametrize("cell", ["99999999999", "[1, 1048576]"])
def test_class_number_beyond_all_lists_names_the_row(folder: Path, cell: str) -> None:
    (folder / "classes.csv").unlink()
    with pytest.raises(DataError, match="csv, row 2: a class is a number from 0 to 1048575") as it:
        labelled(folder, f'id,class\nthree,1\nthree,"{cell}"\n')
    assert "classes.csv" in it.value.hint


def test_ratings_without_a_column_and_with_whole_numbers(folder: Path) -> None:
    (folder / "ratings.csv").write_text("id,start_s,class,value\nthree,0,cat,1\n")
    with pytest.raises(DataError, match=r"has no column end_s .*\n.*id, start_s, end_s, class"):
        opened(folder)
    (folder / "ratings.csv").write_text("video;start_s;end_s;class;value\nthree.mp4;0;3;cat;1\n")
    assert rows(opened(folder))[3]["segment_ends"] == [3]


def test_rating_that_ends_after_its_video_is_logged(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "ratings.csv").write_text(RATINGS + "three,10,15,cat,1\n")
    assert rows(opened(folder))[3]["segment_ends"] == [15]
    assert "1 ratings end after their video: its frames are used" in capfd.readouterr().err
    (folder / "ratings.csv").write_text(RATINGS + "three,12,15,cat,1\n")
    with pytest.raises(DataError, match=r"row 1: .* before the end of the video, got 12 \(of 12 s"):
        opened(folder)


def test_ids_of_parquet_may_be_numbers_or_bytes(tmp_path: Path) -> None:
    write_shard(tmp_path / "d" / "train0.tfrecord", [frame_record("7"), frame_record("8")])
    for ids in ([7, 8], [b"7", b"8"]):
        pq.write_table(pa.table({"id": ids, "class": [1.0, None]}), tmp_path / "l.parquet")
        found = labels_of(opened(tmp_path / "d", labels=tmp_path / "l.parquet"))
        assert found == {"7": [1], "8": []}
