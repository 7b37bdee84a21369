"""Each format with names and ids that try to break out: its own parser reads them back.

What holds any text gives the same text; what holds lines gives the name in one line, as documented
in docs/how-to/exports.md. Files are named by `file_stems`.
"""

import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio
import pytest
import webvtt
from pympi.Elan import Eaf

from reeltag.deploy.moment_formats import FORMATS
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat, class_titles
from reeltag.deploy.moment_formats.names import file_stem
from reeltag.deploy.moment_formats.writing import export_moments
from tests.deploy.moment_formats.synthetic import moment

HOSTILE = (
    *('"', "'", '"a", "b"', "a;b,c|d", "a\\", "\\n", "`id`", "${x}", "%s%n", "{{x}}"),
    *("<", "<b>&amp;</b>", "]]>", "<!--", "--> 00:00:01.000", "NOTE x", "WEBVTT"),
    *("=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", '=HYPERLINK("http://a.test")'),
    *("a\nb", "a\rb", "a\r\n\r\nb", "a\tb", "\u2028x", "\x0bx", "\x85x"),
    *("\x1b[31mx", "\x07x", "a\x7fb", "a\x9bb", "\ufeffx", "\ufffex"),
    *("../../up", "..", "/etc/passwd", "C:\\x", "con", ".hidden", "a/../b"),
    *("x" * 300, "\xe9" * 150, "\u202etxt.exe", "\u200fx", "\u2066x", "e\u0301\U0001f98a"),
    *("x\udce9", "\ud800", "caf\udce9/\udcff"),
    *("0", "1e5", "null", "true", "nan"),
)
NO_TEXT = re.compile("[\ud800-\udfff]")  # halves of pairs, of paths that are no UTF-8
SPANS = ((0.0, 12.0), (20.0, 32.0), (40.0, 52.0))  # chapters need three, ten seconds apart


def _webvtt(path: Path) -> list[str]:
    return [_name(html.unescape(of.raw_text)) for of in webvtt.read(str(path)).captions]


def _csv(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def _json(path: Path) -> list[str]:
    videos = json.loads(path.read_text("utf-8"))["videos"]
    return [of["name"] for video in videos for of in video["moments"]]


def _audacity(path: Path) -> list[str]:
    rows = [line.split("\t") for line in path.read_text("utf-8").split("\n")[:-1]]
    return [_name(name) for _, _, name in rows]


def _youtube(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines if re.match(r"\d+:\d\d ", line)]


def _raven(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["Annotation"] for row in rows]


def _elan(path: Path) -> list[str]:
    document = Eaf(str(path))
    tiers = document.get_tier_names()
    return [name for name in tiers for _ in document.get_annotation_data_for_tier(name)]


def _label_studio(path: Path) -> list[str]:
    labels = ElementTree.parse(path.with_name("labels.xml")).getroot().iter("Label")
    known = {of.get("value") for of in labels}
    (task,) = json.loads(path.read_text("utf-8"))
    (prediction,) = task["predictions"]
    names = [name for of in prediction["result"] for name in of["value"]["timelinelabels"]]
    assert {*names} <= known
    return names


def _fiftyone(path: Path) -> list[str]:
    (found,) = json.loads(path.read_text("utf-8"))["labels"].values()
    return [of["label"] for of in found]


def _activitynet(path: Path) -> list[str]:
    results = json.loads(path.read_text("utf-8"))["results"]
    return [of["label"] for found in results.values() for of in found]


def _edl(path: Path) -> list[str]:
    time_line = opentimelineio.adapters.read_from_file(str(path), rate=25)
    assert len(list(time_line.find_clips())) == len(SPANS)
    return [_name(of) for of in re.findall(r"\|M:([^|\n]*) \|D:", path.read_text("utf-8"))]


def _otio(path: Path) -> list[str]:
    (clip,) = opentimelineio.adapters.read_from_file(str(path)).find_clips()
    return [_name(marker.name) for marker in clip.markers]


def _name(text: str) -> str:
    """Return a name without the probability after it."""
    return re.sub(r" \d\.\d\d$", "", text)


def _title(name: str) -> str:
    return class_titles([name])[0]


def _csv_text(name: str) -> str:
    return NO_TEXT.sub("?", name).replace("\0", "\ufffd")


def _as_it_is(name: str) -> str:
    return name


# format -> file of a video with a stem, names in it, and what a name becomes
READERS: dict[str, tuple[str, Callable[[Path], list[str]], Callable[[str], str]]] = {
    "webvtt": ("{}.vtt", _webvtt, _title),
    "csv": ("", _csv, _csv_text),
    "json": ("", _json, _as_it_is),
    "audacity": ("{}.txt", _audacity, _title),
    "youtube": (
        "{}.txt",
        _youtube,
        lambda name: _title(name).translate({60: "\u2039", 62: "\u203a"}),
    ),
    "raven": ("{}.Table.1.selections.txt", _raven, _title),
    "elan": ("{}.eaf", _elan, _title),
    "label-studio": ("tasks.json", _label_studio, _title),
    "fiftyone": ("labels.json", _fiftyone, _as_it_is),
    "activitynet": ("", _activitynet, _as_it_is),
    "edl": ("{}.edl", _edl, lambda name: _title(name).replace("|", "/")),
    "otio": ("{}.otio", _otio, _title),
}


def test_all_formats_are_read() -> None:
    assert list(READERS) == [of.name for of in FORMATS]


@pytest.mark.parametrize("to", FORMATS, ids=lambda each: each.name)
def test_names_of_classes_are_read_back(to: MomentFormat, tmp_path: Path) -> None:
    file, read, expected = READERS[to.name]
    for number, name in enumerate(HOSTILE):
        found = [moment(*span, name=name) for span in SPANS]
        path = tmp_path / str(number)
        export_moments(to, MomentExport(moments=found, class_names=(name,)), path)
        names = read(path / file.format("film_001") if file else path)
        assert names == [expected(name)] * len(SPANS), name


@pytest.mark.parametrize("to", FORMATS, ids=lambda each: each.name)
def test_ids_are_names_of_files_or_text(to: MomentFormat, tmp_path: Path) -> None:
    file, read, _ = READERS[to.name]
    for number, video in enumerate(HOSTILE):
        found = [moment(*span, id=video) for span in SPANS]
        path = tmp_path / str(number)
        export_moments(to, MomentExport(moments=found, class_names=("Guitar",)), path)
        source = path / file.format(file_stem(video)) if file else path
        assert read(source) == ["Guitar"] * len(SPANS), video
        if to.makes == "folder":
            assert source.parent == path and len(source.name.encode()) <= 255
    assert sorted(of.name for of in tmp_path.iterdir()) == sorted(map(str, range(len(HOSTILE))))


def _ids_of_json(text: str) -> list[str]:
    return [of["id"] for of in json.loads(text)["videos"]]


def _ids_of_activitynet(text: str) -> list[str]:
    return [*json.loads(text)["results"]]


@pytest.mark.parametrize("name", ["json", "activitynet"])
def test_ids_stay_apart_in_one_file(name: str, tmp_path: Path) -> None:
    to = next(of for of in FORMATS if of.name == name)
    found = [moment(0, 1, id=video) for video in HOSTILE]
    export_moments(to, MomentExport(moments=found, class_names=("Guitar",)), tmp_path / "out")
    read = {"json": _ids_of_json, "activitynet": _ids_of_activitynet}[name]
    assert read((tmp_path / "out").read_text("utf-8")) == sorted(HOSTILE)
