"""Tracks that a WebVTT parser takes: header, times, order, escapes; and files in their folder."""

import re
from pathlib import Path

import pytest

from reeltag.core.errors import OutputError
from reeltag.deploy.webvtt import Span, file_name, merge_spans, webvtt, write_webvtt

_TIME = r"(\d\d+):([0-5]\d):([0-5]\d)\.(\d{3})"


def cues(text: str) -> list[tuple[int, int, str]]:
    """Parse a track by the rules of the specification's section 4.1; seconds and raw text."""
    assert text.startswith("WEBVTT\n") and text.endswith("\n") and "\r" not in text
    header, *blocks = text.removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    found = []
    for block in blocks:
        timing, *lines = block.split("\n")
        matched = re.fullmatch(f"{_TIME} --> {_TIME}", timing)
        assert matched, timing
        h, m, s, _, h2, m2, s2, _ = map(int, matched.groups())
        assert lines and all(line and "-->" not in line for line in lines)
        found.append((h * 3600 + m * 60 + s, h2 * 3600 + m2 * 60 + s2, "\n".join(lines)))
    assert all(end > start for start, end, _ in found)
    assert [start for start, _, _ in found] == sorted(start for start, _, _ in found)
    return found


def test_webvtt_text() -> None:
    track = webvtt([Span(0, 5, "Guitar", 0.914), Span(3595, 3605, "Car", 1.0)])
    assert cues(track) == [(0, 5, "Guitar 0.91"), (3595, 3605, "Car 1.00")]


def test_webvtt_without_spans() -> None:
    assert webvtt([]) == "WEBVTT\n"


def test_webvtt_escapes_class_names() -> None:
    track = webvtt([Span(0, 5, "R&B --> <b>loud</b>\n\nand long", 0.5)])
    assert cues(track) == [(0, 5, "R&amp;B --&gt; &lt;b&gt;loud&lt;/b&gt; and long 0.50")]


def test_merge_spans_joins_touching_spans_per_class() -> None:
    spans = [
        Span(40, 45, "a", 0.2),
        Span(10, 15, "a", 0.9),
        Span(5, 10, "a", 0.6),
        Span(15, 20, "b", 0.8),
        Span(45, 47, "a", 0.3),
        Span(20, 25, "a", 0.7),
    ]
    assert merge_spans(spans) == [
        Span(5, 15, "a", 0.9),
        Span(15, 20, "b", 0.8),
        Span(20, 25, "a", 0.7),
        Span(40, 47, "a", 0.3),
    ]


def test_write_webvtt_writes_a_file_per_video(tmp_path: Path) -> None:
    folder = tmp_path / "tracks"
    paths = write_webvtt(folder, {"v1": [Span(5, 10, "a", 1), Span(0, 5, "a", 1)], "../v2": []})
    assert [path.name for path in paths] == ["v1.vtt", "%2E.%2Fv2.vtt"]
    assert cues(paths[0].read_text()) == [(0, 10, "a 1.00")]
    assert sorted(folder.iterdir()) == sorted(paths) and list(tmp_path.iterdir()) == [folder]


def test_write_webvtt_keeps_existing_files(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("1")
    with pytest.raises(OutputError, match=r"holds files already(.|\n)*--overwrite"):
        write_webvtt(tmp_path, {"v": []})
    write_webvtt(tmp_path, {"v": []}, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"precious", "v.vtt"}


def test_webvtt_file_names_are_unique() -> None:
    ids = ["a/b", "a%2Fb", "a b", ".a", "%2Ea", "..", "é", "-_~"]
    names = [file_name(name) for name in ids]
    assert len(set(names)) == len(ids)
    assert all(re.fullmatch(r"[\w%~-][\w%.~-]*\.vtt", name, re.ASCII) for name in names)
