"""Drawings of the page: names of any script and length."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from reeltag.report.examples import ClassTrace, Timeline
from reeltag.report.facts import Reliability
from reeltag.report.plots import reliability_curve, score_over_time, stage_bars
from reeltag.report.results import MetricValue
from tests.report.pages import written
from tests.windows import segments_at


def test_names_of_any_script_are_drawn_without_a_warning(
    corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpus, tmp_path / "corpus")
    lines = [f"{number},太鼓 {number}" for number in range(8)]
    (tmp_path / "corpus" / "classes.csv").write_text("\n".join(["index,name", *lines]) + "\n")
    page = written(tmp_path / "page.html", predictions=predictions, data=tmp_path / "corpus")
    assert any("太鼓" in drawing for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL))


def test_stage_bars_show_whole_names() -> None:
    name = "copied clip score: the video's score, for each of its segments"
    drawing, _ = stage_bars([name], [MetricValue(value=0.5)], "MAP", "stages", ours=True)
    shown = " ".join("".join(ElementTree.fromstring(drawing).itertext()).split())
    assert "of its segments" in shown and "…" not in shown


def test_timeline_of_one_class_shows_its_whole_name() -> None:
    name = "Hubbub, speech noise, speech babble"
    trace = ClassTrace(label=0, times=segments_at([0, 5]), probs=np.array([0.1, 0.9]), rated=())
    one = Timeline(id="v", seconds=10, traces=(trace,), labels=(), why="best", loss=0.0)
    three = replace(one, traces=(trace, trace, trace))
    shown = [score_over_time(of, (name,), 1).count(f"{name}</text>") for of in (one, three)]
    assert shown == [1, 0]


def test_reliability_curve_does_not_cross_the_name_of_the_diagonal() -> None:
    heights = []
    for hits in (1, 99):  # of a hundred predicted with 50 %: overconfident, underconfident
        reliability = Reliability()
        reliability.add(np.zeros(100, np.float32), np.arange(100) < hits)
        drawing = reliability_curve(reliability, "were there", "reliability")
        found = re.search(r'<text[^>]* y="([\d.]+)"[^>]*>perfect', drawing)
        assert found is not None
        heights.append(float(found[1]))
    assert heights[1] > heights[0] + 10  # svg counts downwards
