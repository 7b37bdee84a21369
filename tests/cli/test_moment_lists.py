"""Moments as columns and as objects that are made when they are asked for: both are the same."""

import json

import numpy as np
import pyarrow as pa
import pytest

from reeltag.cli.moment_lists import MomentLists
from reeltag.core.console import print_json_list
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport
from reeltag.predictions.interval_rows import Intervals
from reeltag.tagger.thresholds import Thresholds

NAMES = ("Dog", "Cat", "Bird")
IDS = ("b", "a", "b", "a", "b")
CLASSES, STARTS = (0, 0, 0, 2, 2), (5.0, 1.0, 0.0, 3.0, 5.0)


@pytest.fixture
def lists() -> MomentLists:
    starts = np.array(STARTS)
    found = Intervals(
        ids=pa.array(IDS),
        classes=np.array(CLASSES, np.int32),
        start_s=starts,
        end_s=starts + np.array([2, 2, 2, 2, 1]),
        peak_s=starts + 0.5,
        scores=np.linspace(3, 1, 5),
        mean_prob=np.linspace(0.9, 0.5, 5),
    )
    counts = np.bincount(found.classes, minlength=3)
    ratings = (np.arange(5), np.zeros(5, np.int64))
    return MomentLists(found, NAMES, Thresholds.at_prob(NAMES, 0.5), counts, (1,), ratings)


def test_objects_are_what_the_columns_say(lists: MomentLists) -> None:
    found = lists.exported()
    every = list(found)
    assert len(found) == len(every) == 5 and all(isinstance(e, ExportedMoment) for e in every)
    assert [(e.id, e.index, e.name, e.start_s, e.yes, e.no) for e in every] == [
        ("b", 0, "Dog", 5.0, 0, 0),
        ("a", 0, "Dog", 1.0, 1, 0),
        ("b", 0, "Dog", 0.0, 2, 0),
        ("a", 2, "Bird", 3.0, 3, 0),
        ("b", 2, "Bird", 5.0, 4, 0),
    ]
    assert [e.prob for e in every] == pytest.approx(lists.found.peak_prob.tolist())
    assert [found[at] for at in range(-5, 0)] == every and found[1:4] == every[1:4]
    assert found[::-2] == every[::-2] and found[4:2] == []
    with pytest.raises(IndexError):
        found[5]


def test_moments_of_a_video_are_by_start_then_end_then_class(lists: MomentLists) -> None:
    export = MomentExport(moments=lists.exported(), class_names=NAMES)
    found = {video: [(e.start_s, e.index) for e in of] for video, of in export.by_video.items()}
    assert found == {"a": [(1.0, 0), (3.0, 2)], "b": [(0.0, 0), (5.0, 2), (5.0, 0)]}
    assert list(export.by_video) == ["a", "b"] and "c" not in export.by_video
    assert len(MomentExport(moments=(), class_names=NAMES).by_video) == 0


def test_classes_that_are_listed_are_there_without_moments(lists: MomentLists) -> None:
    described = list(lists.described())
    assert [(of["class"], of["count"], len(of["moments"])) for of in described] == [
        (0, 3, 3), (1, 0, 0), (2, 2, 2)
    ]  # fmt: skip
    assert described[2]["moments"][0] == {
        "id": "a", "start_s": 3.0, "end_s": 5.0, "peak_s": 3.5, "yes": 3, "no": 0,
        "prob": pytest.approx(lists.found.peak_prob[3]), "mean_prob": pytest.approx(0.6),
    }  # fmt: skip


@pytest.mark.parametrize("items", [[], [{"a": 1}], [1, "zwei", None]])
def test_list_that_is_not_held_is_printed_as_one_object(
    items: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    print_json_list({"facts": [1], "more": "é"}, "items", iter(items))
    assert json.loads(capsys.readouterr().out) == {"facts": [1], "more": "é", "items": items}
