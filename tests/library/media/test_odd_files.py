"""The odd films next to the project behave as their table says."""

import csv
from pathlib import Path

import numpy as np
import pytest

from reeltag.library.media.decoding import read_spans
from reeltag.library.media.finding import find_media
from reeltag.library.media.media_info import MediaError, MediaInfo, probe
from tests.library.media.test_decoding import check_pictures, masks

ODD = Path(__file__).parents[3].parent / "shared" / "data" / "films" / "odd"
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not ODD.is_dir(), reason="needs ../shared/data/films"),
]
TWELVE = "1" * 12
ENDS = {  # masks of pictures and sound at 1 Hz; AAC in Matroska ends 32 ms later
    "silent.mp4": (TWELVE, "0" * 12),
    "sound_only.m4a": ("0" * 12, TWELVE),
    "one_second.mp4": ("11", "11"),
    "long_pauses.mp4": ("1" * 20, TWELVE + "0" * 8),
    "matroska.mkv": (TWELVE + "0", TWELVE + "1"),
    "mpeg4_mp3.avi": (TWELVE + "1", TWELVE + "1"),
    "starts_late.mkv": (TWELVE + "0", TWELVE + "1"),
    "starts_late.mp4": (TWELVE + "1", TWELVE + "1"),
    "broadcast.ts": (TWELVE + "1", TWELVE + "1"),
    "cut_off.mp4": ("1" * 6, "1" * 6),
}
BROKEN = {
    "no_index.mp4": "cut off before its index",
    "empty.mp4": "is empty",
    "text.mp4": "is a text file",
}
SHAPES = {  # width, height, rotation
    "turned_90.mp4": (240, 320, 90),
    "turned_180.mp4": (320, 240, 180),
    "turned_270.mp4": (240, 320, 270),
    "portrait.mp4": (240, 426, 0),
    "odd_size.webm": (321, 239, 0),
    "odd_size_444.mp4": (321, 239, 0),
    "tiny.mp4": (16, 16, 0),
    "wide.mp4": (960, 32, 0),
}


def names() -> list[str]:
    if not ODD.is_dir():
        return []
    with (ODD / "odd.csv").open(newline="", encoding="utf-8") as file:
        return [row["file"] for row in csv.DictReader(file)]


def shape(info: MediaInfo) -> tuple[int | None, int | None, int] | None:
    picture = info.picture
    return None if picture is None else (picture.width, picture.height, picture.rotation)


def test_all_are_found() -> None:
    assert sorted(of.path.name for of in find_media([ODD]).files) == sorted(names())


@pytest.mark.parametrize("name", names())
def test_odd_film_is_as_its_table_says(name: str) -> None:
    path = ODD / name
    if name in BROKEN:
        with pytest.raises(MediaError, match=BROKEN[name]):
            probe(path)
        return
    info = probe(path)
    decoded = read_spans(path, rate_hz=1.0, picture_size=(24, 32), context_s=0.0)
    spans = list(decoded)
    assert masks(spans) == ENDS.get(name, (TWELVE, TWELVE))
    assert shape(info) == SHAPES.get(name, (320, 240, 0) if name != "sound_only.m4a" else None)
    assert decoded.info == info
    assert bool(decoded.error) == (name in ("cut_off.mp4", "damaged.mp4")), decoded.error
    assert bool(info.note) == (name == "two_sounds.mp4")
    loud = np.concatenate([span.sound for span in spans])
    assert (np.abs(loud).max() > 0.01) == (name != "silent.mp4")


@pytest.mark.parametrize("name", names())
def test_odd_film_has_the_pictures_of_the_plain_loop(name: str) -> None:
    if name in BROKEN or name in ("sound_only.m4a", "cut_off.mp4", "damaged.mp4"):
        pytest.skip("the plain loop cannot read it")
    if name.startswith("turned"):
        pytest.skip("the plain loop does not turn it")
    assert "1" in check_pictures(ODD / name, 2.0, probe(ODD / name).start_s)
