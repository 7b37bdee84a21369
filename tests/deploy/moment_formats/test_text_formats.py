"""WebVTT, CSV, JSON, Audacity, Raven, YouTube and ActivityNet, read back."""

import csv
import html
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import webvtt

from tests.deploy.moment_formats.synthetic import (
    IDS,
    NAMES,
    TITLES,
    export_of,
    hard_export,
    moment,
    written,
)


def test_webvtt_is_read_by_webvtt_py(tmp_path: Path) -> None:
    folder, _ = written("webvtt", hard_export(), tmp_path / "tracks")
    captions = webvtt.read(str(folder / "film_001.vtt")).captions
    found = {(c.start_in_seconds, c.end_in_seconds, html.unescape(c.raw_text)) for c in captions}
    assert len(captions) == len(NAMES) + 2
    assert {(3, 9, f"{title} 0.75") for title in TITLES} <= found  # it drops milliseconds here
    first, *_, last = captions
    assert (first.start, first.end) == ("00:00:03.000", "00:00:09.500")
    assert (last.start, last.end) == ("01:00:00.000", "01:01:01.250")
    assert captions[-2].end == "111:06:40.125"
    assert [c.start for c in captions] == sorted(c.start for c in captions)


def test_webvtt_escapes_markup_and_no_cue_is_empty(tmp_path: Path) -> None:
    export = export_of(moment(1, 1.0001, index=1), moment(5, 6, index=1, name="x --> y"))
    folder, _ = written("webvtt", export, tmp_path / "tracks")
    text = (folder / "film_001.vtt").read_text()
    assert text.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:01.001\n")
    assert "R&amp;B, &lt;b&gt;" in text and text.count("-->") == 2


def test_csv_keeps_order_names_and_times(tmp_path: Path) -> None:
    export = hard_export()
    rated = moment(1, 2, precision=0.9, precision_interval=(0.8, 0.95), yes=2, no=0)
    path, _ = written("csv", export_of(rated, *export.moments), tmp_path / "m.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], float(row["start_s"]), float(row["end_s"])) for row in rows[1:]] == [
        (m.id, m.start_s, m.end_s) for m in export.moments
    ]
    assert {row["name"] for row in rows} == {name.replace("\0", "\ufffd") for name in NAMES}
    last = ("precision", "precision_low", "precision_high", "yes", "no", "value")
    assert [rows[0][name] for name in last] == ["0.9", "0.8", "0.95", "2", "0", ""]
    assert all(row[name] == "" for row in rows[1:] for name in last)


def test_json_has_all_that_is_known(tmp_path: Path) -> None:
    export = hard_export()
    path, _ = written("json", export, tmp_path / "m.json")
    found = json.loads(path.read_text())
    assert found["classes"] == list(NAMES) and {v["id"] for v in found["videos"]} == set(IDS)
    by_id = {video["id"]: video for video in found["videos"]}
    assert by_id["film_001"]["path"] == "/films/Best of/film 1 é.mp4"
    assert by_id["../../up"]["path"] is None
    moments = [(m["name"], m["start_s"], m["end_s"]) for m in by_id["film_001"]["moments"]]
    assert sorted(moments) == sorted(
        (m.name, m.start_s, m.end_s) for m in export.moments if m.id == "film_001"
    )


def test_audacity_labels_are_lines_of_three_cells(tmp_path: Path) -> None:
    folder, _ = written("audacity", hard_export(), tmp_path / "labels")
    lines = (folder / "film_001.txt").read_text().split("\n")
    assert lines.pop() == "" and len(lines) == len(NAMES) + 2
    cells = [line.split("\t") for line in lines]
    assert all(re.fullmatch(r"\d+\.\d{6}", cell) for row in cells for cell in row[:2])
    assert {row[2] for row in cells if row[1] == "9.500000"} == {f"{t} 0.75" for t in TITLES}
    assert cells[-1][0] == "3599.999600"


def test_raven_tables_have_the_columns_that_raven_needs(tmp_path: Path) -> None:
    folder, _ = written("raven", hard_export(), tmp_path / "tables")
    path = folder / "film_001.Table.1.selections.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    needed = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)")
    assert list(rows[0])[:7] == [*needed, "High Freq (Hz)"]
    assert [row["Selection"] for row in rows] == [str(n + 1) for n in range(len(NAMES) + 2)]
    assert {row["Annotation"] for row in rows} == set(TITLES)
    assert {row["Begin File"] for row in rows} == {"film 1 é.mp4"}
    assert float(rows[-1]["Begin Time (s)"]) == 3599.9996 and rows[-1]["Score"] == "0.0040"


def test_activitynet_has_the_fields_that_its_evaluation_needs(tmp_path: Path) -> None:
    path, _ = written("activitynet", hard_export(), tmp_path / "a.json")
    found = json.loads(path.read_text())
    assert {"version", "results", "external_data"} == set(found)
    assert set(found["results"]) == set(IDS)
    detection = found["results"]["film_001"][0]
    assert detection == {"label": "Guitar", "score": 0.75, "segment": [3.0, 9.5]}


def chapters(tmp_path: Path, *moments: Any, **more: Any) -> tuple[list[tuple[int, str]], list[str]]:
    """Return second and title of each chapter of the first video, checked, and the notes."""
    folder, notes = written("youtube", export_of(*moments, **more), tmp_path / "chapters")
    if not folder.exists():
        return [], notes
    found = []
    for line in (folder / "film_001.txt").read_text().splitlines():
        time, title = line.split(" ", 1)
        seconds = 0
        for part in time.split(":"):
            seconds = 60 * seconds + int(part)
        found.append((seconds, title))
    starts = [start for start, _ in found]
    assert starts[0] == 0 and len(found) >= 3
    assert all(b - a >= 10 for a, b in pairwise(starts))
    return found, notes


def test_chapters_begin_at_zero_are_in_order_and_long_enough(tmp_path: Path) -> None:
    spans = [(70.9, 90, 0.6), (12.2, 200, 0.9), (15, 16, 0.95), (3700.5, 3800, 0.5)]
    found, notes = chapters(tmp_path, *(moment(a, b, prob=p) for a, b, p in spans))
    assert found == [(0, "Start"), (15, "Guitar"), (70, "Guitar"), (3700, "Guitar")]
    assert notes == [
        "1 moments are no chapters: they begin less than 10 s from a more probable one, or from "
        "the end"
    ]


def test_first_chapter_is_a_moment_where_one_begins_early(tmp_path: Path) -> None:
    found, notes = chapters(tmp_path, moment(4, 9), moment(10, 12, 1), moment(20.2, 21, 3))
    brackets = str.maketrans("<>", "\u2039\u203a")
    assert found == [(0, "Guitar"), (10, NAMES[1].translate(brackets)), (20, TITLES[3])]
    assert notes == []


def test_chapters_end_before_the_video_and_need_three(tmp_path: Path) -> None:
    spans = [(20, 30), (40, 50), (3995, 4000)]  # of a video of 4000 s
    found, _ = chapters(tmp_path, *(moment(*span) for span in spans))
    assert [start for start, _ in found] == [0, 20, 40]
    found, notes = chapters(tmp_path / "few", moment(20, 30), moment(3995, 4000))
    assert found == []
    assert "1 videos have no file, for YouTube wants 3 chapters of 10 s: 'film_001'" in notes[0]


def test_chapters_fit_a_description(tmp_path: Path) -> None:
    found, notes = chapters(tmp_path, *(moment(10 * n, 10 * n + 5, index=1) for n in range(390)))
    text = (tmp_path / "chapters" / "film_001.txt").read_text()
    assert len(text) <= 5000 and 100 < len(found) < 390
    assert notes[0].startswith(f"{390 - len(found)} moments are no chapters")


@pytest.mark.parametrize("name", ["webvtt", "audacity", "raven"])
def test_ids_name_files_as_they_are_where_they_can(name: str, tmp_path: Path) -> None:
    folder, _ = written(name, hard_export(), tmp_path / "out")
    stems = {path.name.split(".")[0] for path in folder.iterdir()}
    assert {"film_001", "a%2Fb%20c"} <= stems
