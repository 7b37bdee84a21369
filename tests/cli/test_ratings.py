"""`reeltag ratings`: exported moments, a person's edit, back into the data, and counts of it."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pympi.Elan import Eaf

from reeltag.cli.main import run
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.library.database.library import Library
from reeltag.library.media.finding import find_media
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.data.made import frame_record, rows, write_shard
from tests.windows import segments_at

IDS = ("film 1", "b/c", "x" * 300)
NAMES = ("Dog", 'Cat, "big"')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three videos of 20 s with two classes."""
    folder = tmp_path / "data"
    write_shard(folder / "train0.tfrecord", [frame_record(name, 20) for name in IDS])
    ClassList(NAMES).save(folder / "classes.csv")
    return folder


def exported(data: Path, name: str) -> Path:
    """Export a moment at [5, 10) s of both classes in each video, and return where."""
    path, out = data.parent / "p.parquet", data.parent / f"{name}.out"
    about = PredictionInfo(num_classes=2, data=str(data))
    with prediction_writer(path, about) as writer:
        scores = np.tile([-9.0, 2.0, -9.0, -9.0], len(IDS))
        times = segments_at(np.tile([0, 5, 10, 15], len(IDS)))
        ids = np.repeat(np.array(IDS, object), 4).tolist()
        classes = np.tile(np.arange(2, dtype=np.int32), (len(ids), 1))
        table = PredictionRows.of_matrix(
            ids, times, classes, np.stack([scores] * 2, axis=1).astype(np.float32)
        )
        writer.write(table)
    command = ["moments", "--predictions", str(path), "--hop", "5", "--merge-gap", "0"]
    assert run([*command, "--prob", "0.5", "--export", f"{name}:{out}", "--overwrite"]) == 0
    return out


def ratings(data: Path, source: Path, *options: str, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command with --json and return the object."""
    capfd.readouterr()
    assert run(["ratings", str(data), "--from", str(source), *options, "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


def loaded(data: Path) -> set[tuple[str, float, float, int, float]]:
    """Return the ratings that the data set has."""
    columns = ("segment_starts", "segment_ends", "segment_labels", "segment_scores")
    return {
        (row["id"], *rating)
        for row in rows(Dataset.open(data, quiet=True))
        for rating in zip(*(row[name] for name in columns), strict=True)
    }


def test_filled_csv_comes_back(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = exported(data, "csv")
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 6
    for row, value in zip(table, ("1", "0", "0.5", "", "", ""), strict=True):
        row["value"] = value
    filled = path.with_suffix(".csv")
    with filled.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    expected = {
        (row["id"], float(row["start_s"]), float(row["end_s"]), int(row["class"]), float(value))
        for row, value in zip(table, ("1", "0", "0.5"), strict=False)
    }
    trial = ratings(data, filled, "--dry-run", capfd=capfd)
    assert (trial["new"], trial["written"], loaded(data)) == (3, False, set())
    counts = ratings(data, filled, capfd=capfd)
    assert counts["written"] and (counts["new"], counts["unrated"], counts["total"]) == (3, 3, 3)
    assert loaded(data) == expected
    again = ratings(data, filled, capfd=capfd)
    assert (again["same"], again["new"], again["written"]) == (3, 0, False)
    assert loaded(data) == expected


def test_edited_labels_of_audacity_come_back(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = exported(data, "audacity")
    files = {path.name: path for path in folder.iterdir()}
    assert len(files) == 3
    path = files["film%201.txt"]
    assert path.read_text().splitlines()[0] == "5.000000\t10.000000\tDog 0.88"
    path.write_text('4.250000\t9.500000\tDog yes\n5.000000\t10.000000\tCat, "big" n\n')
    counts = ratings(data, folder, capfd=capfd)
    assert (counts["new"], counts["unrated"]) == (2, 4)
    changed = {("film 1", 4.25, 9.5, 0, 1.0), ("film 1", 5.0, 10.0, 1, 0.0)}
    assert loaded(data) == changed
    counts = ratings(data, folder, "--unrated", "yes", capfd=capfd)
    others = {(name, 5.0, 10.0, c, 1.0) for name in IDS[1:] for c in range(2)}
    assert (counts["new"], counts["same"]) == (4, 2) and loaded(data) == changed | others


def test_edited_documents_of_elan_come_back(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = exported(data, "elan")
    for path in folder.iterdir():
        document = Eaf(str(path))
        document.remove_annotation("Dog", 6000)
        document.add_annotation("Dog", 6000, 8000, "no")
        document.to_file(str(path))
        path.with_suffix(".bak").unlink()
    assert ratings(data, folder, capfd=capfd)["new"] == 3
    assert loaded(data) == {(name, 6.0, 8.0, 0, 0.0) for name in IDS}


def test_submitted_tasks_of_label_studio_come_back(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = exported(data, "label-studio")
    tasks = json.loads((folder / "tasks.json").read_text())
    for task in tasks:
        kept, _deleted = task["predictions"][0]["result"]
        task["annotations"] = [{"result": [kept], "was_cancelled": False}]
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    assert ratings(data, path, capfd=capfd)["new"] == 6
    assert loaded(data) == {(name, 5.0, 10.0, c, 1.0 - c) for name in IDS for c in range(2)}


def test_what_is_left_out_is_said(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = data.parent / "r.csv"
    lines = (
        "film 1,1,2,Dog,1",
        "gone\x1b[31m,1,2,Dog,1",
        "film 1,1,2,Dgo,1",
        "film 1,99,100,Dog,1",
    )
    path.write_text("\n".join(["id,start_s,end_s,class,value", *lines, "film 1,1,2,Dog,0"]))
    assert run(["ratings", str(data), "--from", str(path)]) == 0
    printed = capfd.readouterr()
    assert printed.out == "" and "\x1b" not in printed.err
    for words in (
        "ratings.csv: 1 ratings are new, 0 changed, 0 the same; 1 in all",
        "1 were given with different values: their means count",
        r"1 are of ids that are not in the data and left out: 'gone\x1b[31m'",
        "1 are of unknown classes and left out: 'Dgo'",
        "1 are out of range and left out: ",
    ):
        assert words in printed.err
    assert loaded(data) == {("film 1", 1.0, 2.0, 0, 0.5)}


def test_nothing_that_can_be_used_is_an_error(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = data.parent / "r.csv"
    path.write_text("id,start_s,end_s,class,value\ngone,1,2,Dog,1\nfilm 1,1,2,Dgo,1\n")
    assert run(["ratings", str(data), "--from", str(path)]) == 2
    error = capfd.readouterr().err
    assert "no rating can be used" in error and "'gone'" in error and "'Dgo'" in error
    assert run(["ratings", str(data), "--from", str(data.parent / "no")]) == 2
    assert "no: is not there" in capfd.readouterr().err
    assert not (data / "ratings.csv").exists()


def test_ratings_train_what_they_say(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file is the one that the data set finds."""
    path = data.parent / "r.csv"
    path.write_text("id,start_s,end_s,class,value\nfilm 1,1,2,Dog,1\n")
    ratings(data, path, capfd=capfd)
    items = Dataset.open(data, quiet=True).rated_segments("train")
    assert len(items) == 1


def test_ratings_keep_their_history_in_a_library(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    videos = data.parent / "videos"
    videos.mkdir()
    (videos / "film 1.mp4").write_bytes(b"\0\0\0\x20ftypisom" * 50)
    with Library.open(data, create=True) as library:
        library.sync(find_media([videos]))
        assert [video.id for video in library.videos()] == ["film 1"]
    path = data.parent / "r.csv"
    for value in (1, 1, 0):
        lines = [f"film 1,1,2,Dog,{value}", "b/c,1,2,Dog,1"]  # which the library does not know
        path.write_text("\n".join(["id,start_s,end_s,class,value", *lines]))
        ratings(data, path, capfd=capfd)
    with Library.open(data) as library:
        kept = library.ratings.all(history=True)
    assert [(each.value, each.counts) for each in kept] == [(1.0, False), (0.0, True)]
    assert {(each.video_id, each.class_name, each.who) for each in kept} == {
        ("film 1", "Dog", "reeltag ratings")
    }
    assert loaded(data) == {("film 1", 1.0, 2.0, 0, 0.0), ("b/c", 1.0, 2.0, 0, 1.0)}
