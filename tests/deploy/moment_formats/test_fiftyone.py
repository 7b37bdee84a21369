"""FiftyOne's temporal detections: two fields by the rules of its importer, and ratings back."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reeltag.core.errors import DataError
from reeltag.data.rating_table import Rating
from reeltag.deploy.moment_formats import fiftyone
from reeltag.deploy.moment_formats.contract import VideoFile
from tests.deploy.moment_formats.synthetic import (
    IDS,
    NAMES,
    export_of,
    hard_export,
    moment,
    written,
)
from tests.docs.blocks import python_blocks, run_block

RATINGS = (
    Rating(IDS[0], 5.0, 10.0, 0, 1.0),
    Rating(IDS[0], 0.0, 5.0, 1, 0.5),
    Rating(IDS[0], 5.0, 10.0, 1, 0.0),
    Rating(IDS[1], 0.0, 5.0, 0, 0.25),
)


class StandIn:
    """A dataset that merges folders by the rules of FiftyOne's importer.

    Keys of data.json lose their ending, those of labels do not; samples are one by their file; a
    label is a name, or a number of the classes.
    """

    made: "StandIn"

    def __init__(self, name: str, *, persistent: bool) -> None:
        assert name and persistent
        self.samples: dict[str, dict[str, list[tuple[str, tuple[float, ...], float | None]]]] = {}
        StandIn.made = self

    def merge_dir(
        self,
        *,
        dataset_dir: str,
        dataset_type: str,
        data_path: str,
        labels_path: str,
        label_field: str,
    ) -> None:
        assert dataset_type == "temporal detections"
        media = json.loads(Path(dataset_dir, data_path).read_text(encoding="utf-8"))
        files = {key.rsplit(".", 1)[0]: path for key, path in media.items()}
        whole = json.loads(Path(dataset_dir, labels_path).read_text(encoding="utf-8"))
        for key, detections in whole["labels"].items():
            field = self.samples.setdefault(files[key], {}).setdefault(label_field, [])
            for each in detections:
                label = each["label"]
                name = whole["classes"][label] if isinstance(label, int) else label
                field.append((name, tuple(each["timestamps"]), each.get("confidence")))


def merged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return what the block of the page makes of a folder."""
    types = SimpleNamespace(FiftyOneTemporalDetectionDataset="temporal detections")
    stand_in = SimpleNamespace(Dataset=StandIn, types=types)
    monkeypatch.setitem(sys.modules, "fiftyone", stand_in)
    blocks = python_blocks("how-to/exports.md")
    (block,) = (block for block in blocks if "merge_dir" in block)
    run_block(block.replace('"FOLDER"', repr(str(folder))), "exports.md")
    return StandIn.made


def test_moments_and_ratings_are_two_fields_of_one_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {IDS[0]: VideoFile("/m/1.mp4"), IDS[1]: VideoFile("/m/2.mp4")}
    export = export_of(moment(3, 9.5), videos=files, ratings=RATINGS)
    folder, notes = written("fiftyone", export, tmp_path / "fo")
    assert notes == ["2 ratings that a class is not there are left out"]
    assert merged(folder, monkeypatch).samples == {
        "/m/1.mp4": {
            "predictions": [("Guitar", (3.0, 9.5), 0.75)],
            "ground_truth": [(NAMES[1], (0.0, 5.0), None), ("Guitar", (5.0, 10.0), None)],
        },
        "/m/2.mp4": {"ground_truth": []},  # rated, and nothing is there
    }


def test_all_names_and_ids_are_found_in_both_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: VideoFile(f"/m/{number}.mp4") for number, name in enumerate(IDS)}
    ratings = [Rating(name, 0.0, 5.0, 3, 1.0) for name in IDS]
    folder, _ = written("fiftyone", hard_export(videos=files, ratings=ratings), tmp_path / "fo")
    samples = merged(folder, monkeypatch).samples
    assert samples.keys() == {file.path for file in files.values()}
    assert all(of["ground_truth"] == [(NAMES[3], (0.0, 5.0), None)] for of in samples.values())
    assert {name for name, *_ in samples["/m/0.mp4"]["predictions"]} == set(NAMES)


def test_without_ratings_there_is_one_field(tmp_path: Path) -> None:
    folder, _ = written("fiftyone", export_of(moment(3, 4)), tmp_path / "fo")
    assert {path.name for path in folder.iterdir()} == {"labels.json", "data.json"}


def test_fiftyone_dataset_names_files_and_timestamps(tmp_path: Path) -> None:
    """Keys of data.json lose their ending when they are read, those of labels.json do not."""
    files = {IDS[0]: VideoFile("/m/1.mp4"), IDS[2]: VideoFile("/m/2"), IDS[3]: VideoFile("/m/3.ts")}
    folder, notes = written("fiftyone", hard_export(videos=files), tmp_path / "fo")
    labels = json.loads((folder / "labels.json").read_text())
    media = json.loads((folder / "data.json").read_text())
    assert labels["classes"] == list(NAMES)
    found = {key.rsplit(".", 1)[0]: path for key, path in media.items()}
    assert found.keys() == labels["labels"].keys() and sorted(found.values()) == [
        *("/m/1.mp4", "/m/2", "/m/3.ts")
    ]
    detection = labels["labels"]["film_001"][0]
    assert detection == {"label": "Guitar", "timestamps": [3.0, 9.5], "confidence": 0.75}
    assert notes == ["4 videos are left out, for their files are unknown"]


def test_fiftyone_dataset_without_files_says_where_they_go(tmp_path: Path) -> None:
    folder, notes = written("fiftyone", hard_export(videos={}), tmp_path / "fo")
    assert [path.name for path in folder.iterdir()] == ["labels.json"]
    assert "put them into a folder data/" in notes[0]
    assert len(json.loads((folder / "labels.json").read_text())["labels"]) == len(IDS)


def given(path: Path, content: Any, fps: float = 25.0) -> list[tuple[Any, ...]]:
    """Return what is read from an export of FiftyOne."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return [tuple(vars(each).values()) for each in fiftyone.read(path, fps)]


def test_detections_come_back_by_seconds_frames_names_and_numbers(tmp_path: Path) -> None:
    labels = {
        "a": [
            {"label": 1, "support": [1, 30]},
            {"label": "Dog", "timestamps": [3.25, 9.5], "attributes": {"x": 1}},
            {"label": "Dog", "timestamps": [3, 4], "confidence": 0.5},
        ],
        "b": [],
        "c": None,
    }
    content = {"classes": ["Cat", "Bird"], "labels": labels}
    assert given(tmp_path / "l.json", content, fps=29.97) == [
        ("a", 0.0, 1.001, "Bird", 1.0),
        ("a", 3.25, 9.5, "Dog", 1.0),
        ("a", 3.0, 4.0, "Dog", None),
    ]
    assert given(tmp_path / "data.json", {"a.mp4": "/m/a.mp4"}) == []


def test_ratings_go_out_and_come_back(tmp_path: Path) -> None:
    folder, _ = written("fiftyone", export_of(moment(3, 4), ratings=RATINGS), tmp_path / "fo")
    back = list(fiftyone.read(folder / "ground_truth.json"))
    assert [(each.video, each.start_s, each.end_s, each.title, each.value) for each in back] == [
        (IDS[0], 0.0, 5.0, NAMES[1], 1.0),
        (IDS[0], 5.0, 10.0, "Guitar", 1.0),
    ]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"labels": []},
        {"labels": {"a": [1]}},
        {"labels": {"a": [{"label": "x"}]}},
        {"labels": {"a": [{"label": 3, "timestamps": [0, 1]}]}, "classes": ["x"]},
        {"labels": {"a": [{"label": "x", "timestamps": [0]}]}},
        {"labels": {"a": [{"label": "x", "support": ["a", "b"]}]}},
        {"labels": {"a": [{"label": "x", "timestamps": "ab"}]}},
    ],
)
def test_other_objects_are_named(content: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"l\.json: is no temporal detections"):
        given(tmp_path / "l.json", content)


def test_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        list(fiftyone.read(tmp_path / "l.json"))
