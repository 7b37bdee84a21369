"""Ratings of other tools' files: whose video and class they are, and what cannot be used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.deploy.moment_formats import audacity
from reeltag.deploy.moment_formats.reading import ReadRatings, read_ratings
from reeltag.deploy.moment_formats.verdicts import split_verdict
from tests.data.made import frame_record, write_shard
from tests.deploy.moment_formats.synthetic import IDS, NAMES, export_of, moment, written


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Videos of 12 s with the ids and classes of the exports."""
    folder = tmp_path / "data"
    write_shard(folder / "train0.tfrecord", [frame_record(name, 12) for name in IDS])
    ClassList(NAMES).save(folder / "classes.csv")
    return Dataset.open(folder, jobs=1, quiet=True)


def found(read: ReadRatings) -> list[tuple[str, float, float, int, float]]:
    """Return the ratings, sorted."""
    return sorted(map(tuple, read.ratings))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["audacity", "elan", "label-studio", "fiftyone", "csv"])
@pytest.mark.parametrize("rated", [True, False])
def test_exports_come_back_as_they_went(
    name: str, rated: bool, data: Dataset, tmp_path: Path
) -> None:
    """All ids and class names, with every moment taken for right, or none rated."""
    classes = range(len(NAMES))
    moments = [moment(1, 3.5, c, id=v) for v in IDS for c in classes]
    more: Any = {"videos": {}} if name == "fiftyone" else {}  # else unknown files are left out
    path = tmp_path / ("m.csv" if name == "csv" else "out")
    written(name, export_of(*moments, **more), path)
    source = path / "tasks.json" if name == "label-studio" else path
    if name == "label-studio":
        tasks = source.read_text().replace('"predictions"', '"annotations"')
        source.write_text(tasks)
    read = read_ratings(source, data, fps=25, unrated=1.0 if rated else None)
    assert not read.unknown_ids and not read.unknown_classes and not read.out_of_range
    if rated or name == "label-studio":
        expected = [(v, 1.0, c, 1.0) for v in sorted(IDS) for c in classes]
        assert [(v, start, c, value) for v, start, _, c, value in found(read)] == expected
        assert all(abs(end - 3.5) < 0.03 for _, _, end, _, _ in found(read))  # a frame
    else:
        assert found(read) == [] and read.unrated == len(moments)


def labels(data: Dataset, folder: Path, **files: str) -> ReadRatings:
    """Return what is read from label tracks of Audacity."""
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return read_ratings(folder, data)


def test_labels_say_yes_no_or_nothing(data: Dataset, tmp_path: Path) -> None:
    lines = (
        *("1\t2\tGuitar", "2\t3\tguitar yes", "3\t4\tGuitar no", "4\t5\tGuitar 0.75"),
        *("5\t6\tGuitar 2.50", "6\t7\tGuitar 2.50 0.93", "7\t8\tGuitar 2.50 n", "8\t9\tguitar 0"),
    )
    read = labels(data, tmp_path / "labels", film_001="\n".join(lines) + "\n")
    assert [rating[1:] for rating in found(read)] == [
        *((1.0, 2.0, 0, 1.0), (2.0, 3.0, 0, 1.0), (3.0, 4.0, 0, 0.0)),
        *((5.0, 6.0, 6, 1.0), (7.0, 8.0, 6, 0.0), (8.0, 9.0, 0, 0.0)),
    ]
    assert read.unrated == 2


def test_labels_that_cannot_be_used_are_counted(data: Dataset, tmp_path: Path) -> None:
    text = (
        "1\t2\tGitar\n1\t2\tGitar yes\n3\t3\tGuitar\n12\t13\tGuitar\n-1\t2\tGuitar\n1\t9\tGuitar\n"
    )
    read = labels(data, tmp_path / "labels", film_001=text, film_9="1\t2\tGuitar\n")
    assert found(read) == [("film_001", 1.0, 9.0, 0, 1.0)]
    assert read.unknown_classes == {"Gitar": 2} and read.unknown_ids == {"film_9": 1}
    assert [line.split(": ", 1)[1] for line in read.out_of_range] == [
        "'Guitar' at [3, 3) s of 'film_001', value 1",
        "'Guitar' at [12, 13) s of 'film_001', value 1",
        "'Guitar' at [-1, 2) s of 'film_001', value 1",
    ]


def test_labels_with_frequencies_are_read(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("\ufeff1.5\t2\tDog\r\n\\\t100.0\t2000.0\r\n\r\n3\t4\t\r\n")
    read = list(audacity.read(path, lambda name: name == "Dog"))
    assert [(each.start_s, each.title) for each in read] == [(1.5, "Dog"), (3.0, "")]


@pytest.mark.parametrize("text", ["nonsense", "1\tx\tDog", "a\t2\tDog"])
def test_labels_that_are_none_raise_with_their_line(
    text: str, data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"film_001.txt, line 2: is no label of Audacity"):
        labels(data, tmp_path / "labels", film_001=f"1\t2\tGuitar\n{text}\n")


def test_values_given_twice_are_averaged_and_counted(data: Dataset, tmp_path: Path) -> None:
    text = "1\t2\tGuitar yes\n1\t2\tGuitar no\n3\t4\tGuitar\n3\t4\tGuitar\n"
    read = labels(data, tmp_path / "labels", film_001=text)
    assert found(read) == [("film_001", 1.0, 2.0, 0, 0.5), ("film_001", 3.0, 4.0, 0, 1.0)]
    assert read.twice == 1


def test_names_of_files_mean_their_videos(data: Dataset, tmp_path: Path) -> None:
    (data.path / "videos.csv").write_text("id,path\nfilm_001,/films/Holidays 7.mp4\n")
    rows = ("Holidays 7.mp4,1", "b c.mov,2", "film_001.mp4,3", "a%2Fb%20c.mp4,4")
    text = "file,end_s,start_s,class,value\n" + "".join(f"{row},0,0,1\n" for row in rows)
    (tmp_path / "r.csv").write_text(text)
    read = read_ratings(tmp_path / "r.csv", data)
    assert [(rating[0], rating[2]) for rating in found(read)] == [
        *(("a/b c.mp4", 2.0), ("a/b c.mp4", 4.0), ("film_001", 1.0), ("film_001", 3.0)),
    ]


def test_name_of_two_videos_raises(tmp_path: Path) -> None:
    write_shard(tmp_path / "train0.tfrecord", [frame_record(name, 12) for name in ("a/x", "b/x")])
    (tmp_path / "x.txt").write_text("1\t2\t0\n")
    with pytest.raises(DataError, match=r"'x' may be 'a/x' or 'b/x'"):
        read_ratings(tmp_path / "x.txt", Dataset.open(tmp_path, jobs=1, quiet=True))


def table(data: Dataset, path: Path, rows: Sequence[str]) -> ReadRatings:
    """Return what is read from a CSV file."""
    path.write_text("\n".join(["id,start_s,end_s,class,value", *rows]), encoding="utf-8")
    return read_ratings(path, data)


def test_tables_take_values_between_and_leave_out_empty_ones(data: Dataset, tmp_path: Path) -> None:
    rows = ["film_001,1,2,Guitar,0.25", "film_001,2,3,4,", "film_001,3,4,Guitar|3,1"]
    rows += ["film_001,4,5,Guitar,1.5", "film_001,nan,5,Guitar,1", "film_001,4,5,Guitar,nan"]
    read = table(data, tmp_path / "r.csv", rows)
    assert [rating[1:] for rating in found(read)] == [
        *((1.0, 2.0, 0, 0.25), (3.0, 4.0, 0, 1.0), (3.0, 4.0, 3, 1.0)),
    ]
    assert read.unrated == 1 and len(read.out_of_range) == 3
    with pytest.raises(DataError, match=r"row 1: value must be a number in \[0, 1\] or empty"):
        table(data, tmp_path / "r.csv", ["film_001,1,2,Guitar,maybe"])


def test_table_without_values_names_the_column(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,start_s,end_s,class\nfilm_001,1,2,Guitar\n")
    with pytest.raises(DataError, match="has no column value"):
        read_ratings(tmp_path / "r.csv", data)


def test_sources_that_hold_nothing_raise(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels.xml").touch()
    with pytest.raises(ConfigError, match="holds no file of a known format"):
        read_ratings(tmp_path / "out", data)
    with pytest.raises(ConfigError, match=r"not known by its ending(.|\n)*--format"):
        read_ratings(tmp_path / "out" / "labels.xml", data)
    with pytest.raises(ConfigError, match="gone: is not there"):
        read_ratings([tmp_path / "gone"], data)


def test_verdicts_are_split_from_names() -> None:
    names = {"dog", "dog 1", "no"}
    split = {text: split_verdict(text, names.__contains__) for text in ("dog 1", "no", "dog 1 no")}
    assert split == {"dog 1": ("dog 1", 1.0), "no": ("no", 1.0), "dog 1 no": ("dog 1", 0.0)}
    assert split_verdict("dog barks", names.__contains__) == ("dog", None)
    assert split_verdict("cat", names.__contains__) == ("cat", 1.0)
