"""Weak labels of a folder: each source by itself, joined, run again, corrected, refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError, DataError, MissingPackageError
from reeltag.data.dataset import Dataset
from reeltag.encoders import EncoderInfo
from reeltag.library.labelling.config import Source, WeakLabelsConfig
from reeltag.library.labelling.run import weak_labels
from tests.library.labelling.synthetic import (
    NoClasses,
    SyntheticEncoder,
    seconds_of,
    synthetic_data,
    write_classes,
)

TRUTH = {"v0": 0, "v1": 1, "v2": 3, "v3": 0}  # video -> class of the encoder in two seconds


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve videos of 20 s in folders; those of TRUTH hold two seconds of a class."""
    folders = {"v0": "cats", "v1": "Dogs/hounds", "v2": "rain", "v3": "cats", "v4": "dogs"}
    paths = {}
    for at in range(12):
        folder = tmp_path / "videos" / folders.get(f"v{at}", "2019")
        folder.mkdir(parents=True, exist_ok=True)
        paths[f"v{at}"] = folder / f"film {at}.mp4"
    videos = {
        video: seconds_of(20, dict.fromkeys((4, 5), TRUTH[video]) if video in TRUTH else {}, at)
        for at, video in enumerate(paths)
    }
    return synthetic_data(tmp_path / "data", videos, paths=paths)


def label(data: Path, *sources: Source, **options: Any) -> Any:
    config = WeakLabelsConfig(**{"texts": "none", **options})
    return weak_labels(data, sources, config, quiet=True)


def rows_of(data: Path) -> list[tuple[str, str, str]]:
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [(row["id"], row["class"], row["source"]) for row in csv.DictReader(file)]


def labels_in(data: Path) -> dict[str, list[str]]:
    """Return the labels as a data set reads them."""
    dataset = Dataset.open(data, quiet=True)
    return {
        row["id"]: [dataset.classes.names[of] for of in row["labels"]]
        for row in dataset.table.to_pylist()
        if row["labels"]
    }


def test_folders_are_classes_where_there_is_no_list(data: Path) -> None:
    summary = label(data, "folders")
    assert summary.classes == ("2019", "Dogs", "cats")
    assert summary.new_classes and summary.num_videos == 12
    found = labels_in(data)
    assert found["v0"] == ["cats"] and [of.lower() for of in found["v1"]] == ["dogs"]
    assert "v2" not in found  # rain is the folder of one video alone


def test_folders_mean_classes_of_a_list_by_name(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "Cat", "Dog", "Rain", "Snow")
    summary = label(data, "folders", classes=classes)
    assert labels_in(data) == {
        "v0": ["Cat"],
        "v1": ["Dog"],
        "v2": ["Rain"],
        "v3": ["Cat"],
        "v4": ["Dog"],
    }
    assert {(m.word, m.class_name) for m in summary.matches} >= {("hounds", ""), ("cats", "Cat")}
    assert Dataset.open(data, quiet=True).classes.names == ("Cat", "Dog", "Rain", "Snow")


def test_table_gives_classes_to_ids_and_file_names(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        'file;class;confidence\nv0;cat;1\nfilms/v1.mp4;"dog;cat";0.4\nv2;dog;0.5\nzz;cat;1\n'
    )
    label(data, "csv", table=table)
    assert labels_in(data) == {"v0": ["cat"], "v1": ["cat", "dog"], "v2": ["dog"]}
    assert {source for *_, source in rows_of(data)} == {"csv:mine.csv"}
    text = (data / "labels.csv").read_text()
    assert text.startswith("id,class,source,confidence\n") and "v1,dog,csv:mine.csv,0.400" in text


def test_tags_and_titles_of_yt_dlp_mean_classes(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos" / "2019"
    infos: dict[int, Any] = {
        5: {"tags": ["Dogs", "funny"], "categories": ["Pets"], "title": "cats and more"},
        6: {"title": "A hotdog stand", "tags": None},
        7: [1, 2],
    }
    for at, info in infos.items():
        (folder / f"film {at}.info.json").write_text(json.dumps(info))
    (folder / "film 8.info.json").write_text("{broken")
    classes = write_classes(tmp_path / "mine.csv", "cat", "dog")
    label(data, "info-json", classes=classes)
    with (data / "labels.csv").open() as file:
        found = {row["class"]: (row["id"], row["confidence"]) for row in csv.DictReader(file)}
    assert found == {"dog": ("v5", "0.800"), "cat": ("v5", "0.500")}


def test_encoder_labels_videos_that_hold_its_classes(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "dogs", "tabby cat", "snow", "rain")
    summary = label(data, "encoder", classes=classes, per_video=4 / 12)
    assert labels_in(data) == {
        "v0": ["tabby cat"],
        "v1": ["dogs"],
        "v2": ["rain"],
        "v3": ["tabby cat"],
    }
    assert ("", "snow") in {(match.word, match.class_name) for match in summary.matches}
    with (data / "labels.csv").open() as file:
        confidence = [float(row["confidence"]) for row in csv.DictReader(file)]
    assert min(confidence) > 0.9


def test_group_of_an_encoder_is_all_of_its_classes(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "Pets", "rain")
    summary = label(data, "encoder", classes=classes, per_video=4 / 12)
    assert labels_in(data) == {"v0": ["Pets"], "v1": ["Pets"], "v2": ["rain"], "v3": ["Pets"]}
    assert {(m.word, m.class_name) for m in summary.matches} == {("pet", "Pets"), ("rain", "rain")}


def test_encoder_classes_are_matched_by_meaning(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "my cat", "the dog")
    texts = "tests.library.labelling.synthetic:SyntheticTexts"
    label(data, "encoder", classes=classes, per_video=3 / 12, texts=texts)
    assert labels_in(data) == {"v0": ["my cat"], "v1": ["the dog"], "v3": ["my cat"]}


def test_text_labels_videos_by_the_names_of_classes(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "a cat", "some rain")
    label(data, "text", classes=classes, per_video=3 / 12)
    assert labels_in(data) == {"v0": ["a cat"], "v2": ["some rain"], "v3": ["a cat"]}
    with pytest.raises(ConfigError, match=r"--prompts: must be texts with \{\}"):
        label(data, "text", prompts=("a photo",))


def test_sources_are_joined_and_a_source_replaces_its_own_rows(data: Path, tmp_path: Path) -> None:
    (data / "labels.csv").write_text("video,class,note\nv9,Cat,by hand\n")
    classes = write_classes(tmp_path / "mine.csv", "Cat", "Dog", "Rain")
    mapping = write_mapping(tmp_path, "encoder:tests.library.labelling.synthetic:SyntheticEncoder")
    label(data, "folders", "encoder", classes=classes, mapping=mapping, per_video=4 / 12)
    before = rows_of(data)
    assert ("v9", "Cat", "given") in before and len(before) == 1 + 5 + 4
    label(data, "encoder", mapping=mapping, per_video=1 / 12)
    after = rows_of(data)
    assert [row for row in after if not row[2].startswith("encoder")] == [
        row for row in before if not row[2].startswith("encoder")
    ]
    assert sum(row[2].startswith("encoder") for row in after) == 1
    assert "v9,Cat,given,,by hand" in (data / "labels.csv").read_text()
    assert labels_in(data)["v9"] == ["Cat"]


def write_mapping(folder: Path, source: str) -> Path:
    path = folder / "mapping.csv"
    rows = [("tabby cat", "Cat"), ("hound, dog", "Dog"), ("rain", "Rain")]
    lines = [f'{source},"{word}",{name},' for word, name in rows]
    path.write_text("source,word,class,cosine\n" + "\n".join(lines) + "\n")
    return path


def test_mapping_is_written_and_what_a_person_corrects_counts(data: Path, tmp_path: Path) -> None:
    classes, mapping = write_classes(tmp_path / "c.csv", "Cat", "Dog"), tmp_path / "m.csv"
    label(data, "folders", classes=classes, mapping=mapping)
    text = mapping.read_text()
    assert "folders,cats,Cat,1\n" in text and "folders,rain,,0\n" in text
    mapping.write_text(text.replace("folders,rain,,0", "folders,rain,Dog,"))
    label(data, "folders", mapping=mapping)
    assert labels_in(data)["v2"] == ["Dog"]
    assert "folders,rain,Dog,\n" in mapping.read_text()


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        ((), {}, "--from: must be of folders, csv, .*, got nothing"),
        (("tags",), {}, "--from: must be of folders, csv, .*, got tags"),
        (("csv",), {}, "--table: is needed for --from csv"),
        (("folders",), {"table": Path("x.csv")}, "--table: is read by --from csv alone"),
        (("encoder",), {}, "--from encoder needs a class list\n.*--classes"),
        (("text",), {}, "--from text needs a class list"),
        (("info-json",), {}, "no video has an .info.json next to it that can be read"),
        (("folders",), {"min_videos": 99}, "no word is given to 99 videos"),
        (("folders",), {"texts": "log_mel"}, "--texts: log_mel encodes no texts"),
    ],
)
def test_what_cannot_be_done_is_one_error_and_nothing_is_written(
    data: Path, sources: tuple[Source, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=words):
        label(data, *sources, **options)
    assert not (data / "labels.csv").exists() and not (data / "classes.csv").exists()


def test_folder_of_all_videos_or_no_paths_tell_nothing(data: Path, tmp_path: Path) -> None:
    (data / "videos.csv").write_text("id,path\nv0,/x/a.mp4\nv1,/x/b.mp4\n")
    with pytest.raises(DataError, match="/x: holds all videos: names of folders are no labels"):
        label(data, "folders")
    (data / "videos.csv").unlink()
    with pytest.raises(DataError, match=r"videos.csv: is not there\n  `reeltag extract` writes"):
        label(data, "folders")


def test_videos_without_features_give_no_words(data: Path) -> None:
    rows = (data / "videos.csv").read_text().splitlines()
    states = ["state", *["error" if row.startswith("v4") else "extracted" for row in rows[1:]]]
    lines = [f"{row},{state}" for row, state in zip(rows, states, strict=True)]
    (data / "videos.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="no word is given to 9 videos"):
        label(data, "folders", min_videos=9)
    summary = label(data, "folders")  # 11 videos: dogs is a folder of one with features
    assert summary.num_videos == 11 and summary.classes == ("2019", "cats")


def test_encoder_that_is_not_installed_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = write_classes(tmp_path / "mine.csv", "Cat")
    info = EncoderInfo(
        name="synthetic", kind="picture", extra="yamnet", packages=("no_such_module",)
    )
    monkeypatch.setattr(SyntheticEncoder, "info", info)
    with pytest.raises(MissingPackageError, match="needs no_such_module, which is not installed"):
        label(data, "encoder", classes=classes)


def test_other_class_list_than_that_of_the_data_is_refused(data: Path, tmp_path: Path) -> None:
    write_classes(data / "classes.csv", "Cat", "Dog")
    other = write_classes(tmp_path / "other.csv", "Cat", "Wolf")
    with pytest.raises(DataError, match="class 1 is 'Wolf'; in .*classes.csv it is 'Dog'"):
        label(data, "folders", classes=other)


def test_words_that_mean_no_class_are_named(data: Path, tmp_path: Path) -> None:
    classes = write_classes(tmp_path / "mine.csv", "Wolf")
    with pytest.raises(DataError, match="no word of folders means a class: cats, Dogs, hounds"):
        label(data, "folders", classes=classes)


def test_encoder_without_classes_or_of_other_weights_is_refused(tmp_path: Path) -> None:
    frames = {"v": seconds_of(3, {}, 0)}
    data = synthetic_data(tmp_path / "data", frames, NoClasses)
    write_classes(data / "classes.csv", "Cat")
    with pytest.raises(ConfigError, match="no encoder of the data has classes of its own"):
        label(data, "encoder")
    with pytest.raises(ConfigError, match="no encoder of the data shares its space with texts"):
        label(data, "text")
    text = (data / "features.json").read_text()
    (data / "features.json").write_text(text.replace('"version": "1"', '"version": "2"'))
    with pytest.raises(DataError, match="holds features of .*NoClasses 2 in stream 'rgb'; inst"):
        label(data, "encoder")


def test_labels_of_another_kind_are_refused(data: Path) -> None:
    (data / "labels.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"labels.parquet: holds the labels already"):
        label(data, "folders")
    (data / "labels.parquet").unlink()
    (data / "labels.csv").write_text("id,cat,dog\nv0,1,0\n")
    with pytest.raises(DataError, match="labels.csv: has no columns id and class"):
        label(data, "folders")
