"""`reeltag labels`: which label implies which, as tables, JSON, file and picture."""

import json
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.data.class_list import ClassList
from reeltag.labels.correlation import Correlation
from reeltag.labels.vectors import LabelVectors
from tests.conftest import REAL
from tests.data.made import frame_record, write_shard
from tests.library.labelling.synthetic import SyntheticTexts

TEXTS = "tests.library.labelling.synthetic:SyntheticTexts"
CAR, BMW, GAME, RARE = range(4)
NAMES = ("Car", "BMW [M]", "Game", "Rare")
TRAIN = [[CAR]] * 4 + [[CAR, BMW]] * 3 + [[GAME]] * 2 + [[CAR, GAME, RARE]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten videos to train on, and one to test with in which all is the other way round."""
    folder = tmp_path / "data"
    records = [frame_record(f"v{n}", labels=labels) for n, labels in enumerate(TRAIN)]
    write_shard(folder / "train1.tfrecord", records)
    write_shard(folder / "test1.tfrecord", [frame_record("t", labels=[BMW, GAME])])
    ClassList(NAMES).save(folder / "classes.csv")
    return folder


def labels(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run(["labels", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def pairs(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(row["first"], row["second"]) for row in rows]


def test_labels_json_has_implications(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = labels(capsys, data)
    assert (found["videos"], found["split"], found["num_classes"]) == (10, "train", 4)
    assert found["labels"] == {"mean": 1.5, "max": 3, "unlabelled": 0}
    assert (found["classes"], found["pairs"], found["implications"]) == (4, 4, 3)
    assert pairs(found["strongest"]) == [(BMW, CAR), (RARE, CAR), (RARE, GAME)]
    best = found["strongest"][0]
    assert (best["name"], best["implied_name"]) == ("BMW [M]", "Car")
    assert (best["together"], best["videos"], best["prob"]) == (3, 3, 1.0)
    assert best["low"] == pytest.approx(0.4385, abs=1e-4)


def test_labels_tables_show_names_and_counts(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["labels", str(data), "--tau", "0.3", "--top", "3"]) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "BMW [M] -> Car" in line)
    assert line.split()[-5:] == ["1.00", "0.44", "3", "of", "3"]
    assert "10 of the split 'train'" in out and "4 of classes appear together" in out


def test_labels_options_narrow_the_pairs(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pairs(labels(capsys, data, "--min-videos", 2)["strongest"]) == [(BMW, CAR)]
    assert pairs(labels(capsys, data, "--top", 1)["strongest"]) == [(BMW, CAR)]
    assert len(labels(capsys, data, "--tau", 0.01)["strongest"]) == 8
    assert labels(capsys, data, "--tau", 1.5)["strongest"] == []
    (data / "some.csv").write_text("Index\n0\n2\n3\n")
    found = labels(capsys, data, "--classes", data / "some.csv")
    assert pairs(found["strongest"]) == [(RARE, CAR), (RARE, GAME)]
    assert (found["shown_classes"], found["pairs"]) == (3, 3)


def test_other_splits_may_be_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pairs(labels(capsys, data, "--split", "test")["strongest"]) == [(BMW, GAME), (GAME, BMW)]
    assert labels(capsys, data, "--split", "all")["videos"] == 11
    assert labels(capsys, data, "--train", "test*", "--test", "train*")["videos"] == 1


@pytest.mark.parametrize("name", ["Car", "car", "0"])
def test_labels_of_a_class_list_its_implications(
    name: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = labels(capsys, data, "--class", name)
    assert found["class"] == {"class": CAR, "name": "Car", "videos": 8}
    assert pairs(found["implies"]) == [(CAR, BMW), (CAR, GAME), (CAR, RARE)]
    assert pairs(found["implied_by"]) == [(BMW, CAR), (RARE, CAR), (GAME, CAR)]
    assert run(["labels", str(data), "--class", name]) == 0
    out = capsys.readouterr().out
    assert "Car (8 videos) implies" in out and "Car (8 videos) is implied by" in out


def test_labels_write_all_classes_and_a_picture(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "new" / "p.parquet", tmp_path / "p.svg"
    arguments = ["--out", str(out), "--picture", str(picture), "--min-videos", "2"]
    assert run(["labels", str(data), *arguments]) == 0
    captured = capsys.readouterr()
    assert str(out) in captured.err and str(picture) in captured.err
    kept = Correlation.load(out)
    assert kept.names == NAMES and kept.num_videos == 10
    assert kept.implications(1.0).classes.tolist() == [CAR, CAR, GAME]
    assert "<svg" in picture.read_text()
    found = labels(capsys, data, *arguments)
    assert (found["out"], found["picture"]) == (str(out), str(picture))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tau", "0"], "tau: must be > 0, got 0"),
        (["--top", "-1"], "top: must be at least 0"),
        (["--min-videos", "0"], "min_videos: must be at least 1"),
        (["--picture", "a.gif"], "got 'a.gif'"),
        (["--texts", "bge_small_en"], "give --vectors FILE too"),
        (["--picture-classes", "1"], "picture_classes: must be at least 2"),
        (["--class", "Cart"], "Did you mean Car"),
        (["--class", "4"], "--class: must be in 0 to 3, got 4"),
        (["--classes", "gone.csv"], "gone.csv: is not there"),
        (["--split", "validate"], "no shard belongs to the split 'validate'"),
    ],
)
def test_labels_wrong_options_have_one_error(
    arguments: list[str], words: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["labels", str(data), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err and captured.err.count("error: ") == 1


def test_labels_class_list_of_other_data_is_an_error(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "some.csv").write_text("Index\n3861\n")
    assert run(["labels", str(data), "--classes", str(data / "some.csv")]) == 2
    assert "lists class 3861; the data has 4" in capsys.readouterr().err


def test_labels_number_names_that_occur_twice(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ClassList(("Car", "Same", "same", "Same")).save(data / "classes.csv")
    assert run(["labels", str(data), "--class", "Same"]) == 2
    assert "3 classes are called 'Same': 1, 2, 3" in capsys.readouterr().err
    assert labels(capsys, data, "--class", "same")["class"]["class"] == 2


def test_labels_of_unlabelled_data_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "train1.tfrecord", [frame_record("a", labels=[])])
    ClassList(NAMES).save(tmp_path / "classes.csv")
    assert run(["labels", str(tmp_path), "--out", str(tmp_path / "p.parquet")]) == 2
    assert "none of the 1 videos of the split 'train' has a label" in capsys.readouterr().err
    assert not (tmp_path / "p.parquet").exists()


def test_labels_that_never_meet_are_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "train1.tfrecord", [frame_record("a", labels=[1])])
    assert run(["labels", str(tmp_path)]) == 0
    assert "no class implies another with P >= 0.5" in capsys.readouterr().out


@pytest.mark.realdata
def test_real_cars_are_vehicles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shard = REAL / "yt8m" / "video" / "validate0003.tfrecord"
    found = labels(capsys, shard, "--split", "all", "--top", 1)
    best = found["strongest"][0]
    assert (best["name"], best["implied_name"], best["prob"]) == ("Car", "Vehicle", 1.0)


def test_labels_write_vectors_of_names(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "V.parquet"
    found = labels(capsys, data, "--vectors", path, "--texts", TEXTS)
    assert found["vectors"] == str(path)
    known = LabelVectors.load(path)
    expected = SyntheticTexts().encode(NAMES)
    assert known.names == NAMES and known.vectors.tolist() == expected.tolist()


def test_labels_without_names_have_no_vectors(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "classes.csv").unlink()
    assert run(["labels", str(data), "--vectors", str(data / "V.parquet")]) == 2
    assert "4 classes have no names" in capsys.readouterr().err
    assert not (data / "V.parquet").exists()


def test_class_without_a_name_has_the_mean_of_the_others(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ClassList(("Car", "class 1", "Game", "Rare")).save(data / "classes.csv")
    path = data / "V.parquet"
    assert run(["labels", str(data), "--vectors", str(path), "--texts", TEXTS]) == 0
    assert (
        "1 classes without a name have the mean of the others: class 1" in capsys.readouterr().err
    )
    vectors = LabelVectors.load(path).vectors
    assert vectors[1].tolist() == pytest.approx(vectors[[0, 2, 3]].mean(axis=0).tolist())
