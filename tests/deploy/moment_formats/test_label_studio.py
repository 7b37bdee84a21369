"""Label Studio's tasks by the rules of its editor, and annotations back as ratings."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest

from reeltag.core.errors import DataError
from reeltag.deploy.moment_formats import label_studio
from reeltag.deploy.moment_formats.contract import VideoFile
from reeltag.deploy.moment_formats.label_studio import LOCAL
from tests.deploy.moment_formats.synthetic import (
    IDS,
    TITLES,
    export_of,
    hard_export,
    moment,
    written,
)

FRAME = {"type": "integer", "minimum": 1}  # the editor's model takes whole numbers
REGION = {
    "type": "object",
    "required": ["id", "from_name", "to_name", "type", "value"],
    "properties": {
        "from_name": {"const": "moments"},
        "to_name": {"const": "video"},
        "type": {"const": "timelinelabels"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "value": {
            "type": "object",
            "required": ["ranges", "timelinelabels"],
            "properties": {
                "ranges": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["start", "end"],
                        "properties": {"start": FRAME, "end": FRAME},
                    },
                },
                "timelinelabels": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}
TASKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["data", "predictions"],
        "properties": {
            "data": {"type": "object", "required": ["video", "fps"]},
            "predictions": {
                "type": "array",
                "items": {"properties": {"result": {"type": "array", "items": REGION}}},
            },
        },
    },
}


def tasks_of(folder: Path) -> list[dict[str, Any]]:
    """Return the tasks of an export."""
    tasks: list[dict[str, Any]] = json.loads((folder / "tasks.json").read_text())
    return tasks


def test_tasks_fit_the_schema_and_labels_the_interface(tmp_path: Path) -> None:
    folder, _ = written("label-studio", hard_export(), tmp_path / "ls")
    tasks = tasks_of(folder)
    jsonschema.validate(tasks, TASKS)
    assert [task["data"]["video_id"] for task in tasks] == sorted(IDS)
    view = ElementTree.parse(folder / "labels.xml").getroot()
    labels, video = view
    assert [label.get("value") for label in labels] == list(TITLES)
    assert (labels.get("name"), labels.get("toName")) == ("moments", "video")
    assert (video.get("value"), video.get("frameRate")) == ("$video", "$fps")
    regions = [r for task in tasks for p in task["predictions"] for r in p["result"]]
    assert len({region["id"] for region in regions}) == len(regions)
    assert {name for r in regions for name in r["value"]["timelinelabels"]} <= set(TITLES)


def test_ranges_are_frames_from_one_both_ends_included(tmp_path: Path) -> None:
    export = export_of(moment(0, 1), moment(3, 9.5), moment(5, 5.001), fps=29.97)
    folder, _ = written("label-studio", export, tmp_path / "ls")
    (task,) = tasks_of(folder)
    ranges = [region["value"]["ranges"][0] for region in task["predictions"][0]["result"]]
    assert ranges[0] == {"start": 1, "end": 30}
    assert ranges[1] == {"start": 91, "end": 285}  # 89.9 and 284.7 frames begin before
    assert ranges[2] == {"start": 151, "end": 151}
    assert task["data"]["fps"] == pytest.approx(30000 / 1001)


def test_files_are_served_from_their_common_folder(tmp_path: Path) -> None:
    files = {"a": VideoFile("/m/x/a 1%.mp4"), "b": VideoFile("/m/x/y/b#?.mp4")}
    export = export_of(moment(0, 1, id="a"), moment(0, 1, id="b"), videos=files)
    folder, notes = written("label-studio", export, tmp_path / "ls")
    urls = [task["data"]["video"] for task in tasks_of(folder)]
    assert [unquote(url.removeprefix(LOCAL)) for url in urls] == ["a 1%.mp4", "y/b#?.mp4"]
    assert "#" not in urls[1] and " " not in urls[0]
    assert notes[0].endswith("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=/m/x")
    _, notes = written("label-studio", hard_export(), tmp_path / "unknown")
    assert notes[0] == "the files of 6 videos are unknown: their tasks name ids"


def region(key: str, start: int, end: int, title: str) -> dict[str, Any]:
    """Return a region that a person drew."""
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [title]}
    return {"id": key, "type": "timelinelabels", "origin": "manual", "value": value}


def exported(
    task: dict[str, Any], results: list[dict[str, Any]], **more: Any
) -> list[dict[str, Any]]:
    """Return a project's export in which a person submitted regions for a task."""
    whole = {"id": 5, "was_cancelled": False, "result": results, "parent_prediction": 3}
    return [{"id": 1, **task, "annotations": [whole | more]}]


def ratings(folder: Path, tasks: object) -> list[tuple[str, float, float, str, float | None]]:
    """Return what is read from an export of Label Studio."""
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return [
        (each.video, each.start_s, each.end_s, each.title, each.value)
        for each in label_studio.read(path)
    ]


def test_kept_moved_drawn_and_deleted_regions_come_back_as_ratings(tmp_path: Path) -> None:
    spans = [moment(3, 9.5, id="a/b"), moment(20, 22, 1, id="a/b"), moment(30, 40, 2, id="a/b")]
    folder, _ = written("label-studio", export_of(*spans), tmp_path / "ls")
    (task,) = tasks_of(folder)
    kept, moved, _deleted = (dict(region) for region in task["predictions"][0]["result"])
    moved["value"] = {"ranges": [{"start": 501, "end": 575}], "timelinelabels": [TITLES[1]]}
    drawn = region("n", 1, 25, "Guitar")
    other = {"id": "c", "type": "choices", "value": {"choices": ["x"]}}
    expected = [
        ("a/b", 3.0, 9.52, "Guitar", 1.0),
        ("a/b", 20.0, 23.0, TITLES[1], 1.0),
        ("a/b", 0.0, 1.0, "Guitar", 1.0),
        ("a/b", 30.0, 40.0, TITLES[2], 0.0),
    ]
    assert ratings(tmp_path, exported(task, [kept, moved, drawn, other])) == expected
    # exports name predictions only by number, and hold the one that an annotation began with
    began = {"predictions": [3], "prediction": task["predictions"][0]}
    tasks = exported(task, [kept, moved, drawn], prediction=began["prediction"])
    tasks[0]["predictions"] = [3]
    assert ratings(tmp_path, tasks) == expected


def test_all_regions_deleted_are_all_wrong(tmp_path: Path) -> None:
    folder, _ = written("label-studio", export_of(moment(3, 4)), tmp_path / "ls")
    (task,) = tasks_of(folder)
    task["predictions"][0]["id"] = 3
    assert ratings(tmp_path, exported(task, [])) == [("film_001", 3.0, 4.0, "Guitar", 0.0)]
    assert ratings(tmp_path, exported(task, [], parent_prediction=None)) == []
    assert ratings(tmp_path, exported(task, [], was_cancelled=True)) == []


def test_annotations_from_nothing_reject_nothing(tmp_path: Path) -> None:
    drawn = region("n", 1, 24, "Dog")
    data = {"video": "film 7.mp4"}
    tasks = [{"data": data, "annotations": [{"result": [drawn]}], "predictions": [3]}]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    (rating,) = label_studio.read(path, fps=24)
    assert (rating.video, rating.start_s, rating.end_s) == ("film 7.mp4", 0.0, 1.0)


def test_minimal_exports_are_read(tmp_path: Path) -> None:
    value = {"ranges": [{"start": 26, "end": 50}], "timelinelabels": ["Dog"]}
    tasks = [{"id": 1, "video": "x", "video_id": "v", "fps": 25, "moments": [value], "n": [1]}]
    assert ratings(tmp_path, tasks) == [("v", 1.0, 2.0, "Dog", 1.0)]


def test_ranges_of_one_frame_may_leave_an_end_null(tmp_path: Path) -> None:
    ranges = [{"start": 26, "end": None}, {"start": None, "end": 26}, {"start": 26, "end": 26}]
    values = [
        {"ranges": [span], "timelinelabels": ["Dog"]}
        for span in (*ranges, {"start": None, "end": None})
    ]
    tasks = [{"id": 1, "video": "x", "video_id": "v", "fps": 25, "moments": values}]
    assert ratings(tmp_path, tasks) == [("v", 1.0, 1.04, "Dog", 1.0)] * 3


@pytest.mark.parametrize(
    "tasks",
    [
        {"a": 1},
        [1],
        [{"annotations": [{"result": [{"type": "timelinelabels", "value": {}}]}]}],
        [{"annotations": [1]}],
        [{"data": {"fps": "x"}, "annotations": []}],
    ],
)
def test_read_raises_for_other_files(tasks: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="export.json"):
        ratings(tmp_path, tasks)


def test_read_raises_for_no_json(tmp_path: Path) -> None:
    for number, text in enumerate(("", "{", "[" * 100_000)):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        with pytest.raises(DataError, match="cannot be read"):
            list(label_studio.read(path))
