"""EDL and OpenTimelineIO by OpenTimelineIO's library."""

import re
from pathlib import Path

import opentimelineio as otio
import pytest

from reeltag.deploy.moment_formats.edl import MOST_EVENTS
from tests.deploy.moment_formats.synthetic import (
    TITLES,
    export_of,
    hard_export,
    moment,
    written,
)

EVENT = re.compile(
    r"(\d{3})  001      V     C        (\S+) (\S+) (\S+) (\S+)\n"
    r" \|C:ResolveColor([A-Z][a-z]+) \|M:([^|\n]*) \|D:(\d+)\n"
)


def test_edl_lists_are_read_by_opentimelineio(tmp_path: Path) -> None:
    export = export_of(moment(35, 45), moment(35, 36, 1), moment(50.5, 60, 3), fps=25)
    folder, _ = written("edl", export, tmp_path / "edl")
    path = folder / "film_001.edl"
    time_line = otio.adapters.read_from_file(str(path), rate=25)
    clips = list(time_line.find_clips())
    starts = [clip.range_in_parent().start_time for clip in clips]
    zero = starts[0]
    assert [(start - zero).to_seconds() for start in starts] == [0, 0.04, 15.48]


def test_edl_markers_begin_at_one_hour_with_their_length(tmp_path: Path) -> None:
    export = export_of(moment(35, 45), moment(35, 36, 4, prob=0.5), moment(3599.98, 3600.5), fps=25)
    folder, _ = written("edl", export, tmp_path / "edl")
    text = (folder / "film_001.edl").read_text()
    assert text.startswith("TITLE: film_001\nFCM: NON-DROP FRAME\n\n001  001")
    assert EVENT.findall(text) == [
        (
            *("001", "00:00:35:00", "00:00:35:01", "01:00:35:00", "01:00:35:01"),
            *("Red", "a/pipe \\ and 100 % 0.50", "25"),
        ),
        (
            *("002", "00:00:35:01", "00:00:35:02", "01:00:35:01", "01:00:35:02"),
            *("Blue", "Guitar 0.75", "249"),
        ),
        (
            *("003", "01:00:00:00", "01:00:00:01", "02:00:00:00", "02:00:00:01"),
            *("Blue", "Guitar 0.75", "12"),
        ),
    ]


def test_edl_time_codes_of_ntsc_count_frames(tmp_path: Path) -> None:
    export = export_of(moment(1001, 1002), fps=29.97)  # 30000 frames: 1000 s of 30 each
    folder, _ = written("edl", export, tmp_path / "edl")
    ((_, source, _, record, *_),) = EVENT.findall((folder / "film_001.edl").read_text())
    assert (source, record) == ("00:16:40:00", "01:16:40:00")


def test_edl_has_999_events_a_list_and_ends_with_the_day(tmp_path: Path) -> None:
    moments = [moment(n, n + 1) for n in range(MOST_EVENTS + 2)]
    late = moment(23 * 3600, 23 * 3600 + 1)
    folder, notes = written("edl", export_of(*moments, late), tmp_path / "edl")
    assert {path.name for path in folder.iterdir()} == {"film_001.edl", "film_001.2.edl"}
    texts = [(folder / name).read_text() for name in ("film_001.edl", "film_001.2.edl")]
    assert [len(EVENT.findall(text)) for text in texts] == [999, 2]
    assert EVENT.findall(texts[1])[0][:2] == ("001", "00:16:39:00")
    assert notes == ["1 moments begin after 23 hours, which time codes do not reach"]


def test_otio_time_lines_have_a_clip_with_markers(tmp_path: Path) -> None:
    folder, _ = written("otio", hard_export(fps=23.976), tmp_path / "otio")
    time_line = otio.adapters.read_from_file(str(folder / "film_001.otio"))
    (clip,) = time_line.find_clips()
    assert clip.media_reference.target_url == "file:///films/Best%20of/film%201%20%C3%A9.mp4"
    markers = list(clip.markers)
    assert {marker.name.rsplit(" ", 1)[0] for marker in markers} == set(TITLES)
    frame = 1001 / 24000
    for marker in markers:
        assert marker.marked_range.start_time.rate == pytest.approx(1 / frame)
    guitar = next(marker for marker in markers if marker.name == "Guitar 0.75")
    assert guitar.marked_range.start_time.to_seconds() == pytest.approx(3, abs=frame / 2)
    end = guitar.marked_range.end_time_exclusive().to_seconds()
    assert end == pytest.approx(9.5, abs=frame / 2)
    assert dict(guitar.metadata["reeltag"]) == {"class": "Guitar", "prob": 0.75}
    assert clip.duration().to_seconds() == pytest.approx(400_000.125, abs=frame)  # the longest
    other = otio.adapters.read_from_file(str(folder / "a%2Fb%20c.mp4.otio"))
    assert other.find_clips()[0].media_reference.is_missing_reference
    assert other.name == "a/b c.mp4"
