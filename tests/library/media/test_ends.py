"""Films that end early or are broken midway are kept as far as they go, and say so."""

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.run import extract
from reeltag.library.media.decoding import read_spans
from reeltag.library.media.media_info import MediaError
from reeltag.library.media.previews import Previews
from tests.library.extraction.toys import COLOUR, LOUDNESS
from tests.library.media.test_decoding import SMALL, masks, pictures_of, read, scaled, shown
from tests.library.media.tiny_films import TinyFilm, stamp


def test_cut_off_film_is_kept_up_to_there_and_says_so(tmp_path: Path) -> None:
    film = TinyFilm(options={"movflags": "+faststart"}).write(tmp_path / "film.mp4")
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    spans, decoded = read(film)
    assert decoded.num_frames in (3, 4) and "of 6.0 s" in decoded.error
    for k, frame in enumerate(shown(film, 1.0, 2, Fraction(0))):
        assert np.array_equal(pictures_of(spans)[k], scaled(frame))


@pytest.mark.parametrize(("kind", "stream"), [("picture", 0), ("sound", 1)])
def test_one_stream_that_stops_before_its_own_end_is_reported(
    tmp_path: Path, kind: str, stream: int
) -> None:
    film = TinyFilm(gop=10).write(tmp_path / "film.mp4")
    with av.open(str(film)) as source:
        packets = [of for of in source.demux(source.streams[stream]) if of.pos and of.size]
        spots = [(of.pos or 0, of.size) for of in packets if stamp(of) >= 3]
    data = bytearray(film.read_bytes())
    for begin, size in spots:
        data[begin : begin + size] = b"\xff" * size
    film.write_bytes(data)
    spans, decoded = read(film)
    has = masks(spans)
    assert has[1 - stream] == "111111" and has[stream].startswith("111")
    assert f"{kind} ends after 3." in decoded.error and "of 6.0 s" in decoded.error


def test_film_that_was_not_read_to_its_end_does_not_pass_for_whole(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    decoded = read_spans(film, rate_hz=1.0, picture_size=SMALL, context_s=0.0, span_frames=2)
    next(decoded)
    decoded.close()
    assert list(decoded) == [] and decoded.error == "was not read to its end"
    assert read(film)[1].error == ""


def test_previews_that_cannot_convert_a_picture_do_not_end_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    seen: list[float] = []

    def look(self: Previews, frame: Any, seconds: float) -> None:
        seen.append(seconds)
        if seconds == 3.5:
            raise ValueError("no such conversion")

    monkeypatch.setattr(Previews, "look", look)
    spans, decoded = read(film, previews=Previews())
    assert masks(spans) == ("111111", "111111") and len(seen) == 60
    assert (
        decoded.error == "1 packet of picture not decoded, the first at 3.5 s (no such conversion)"
    )


def test_film_without_anything_that_decodes_is_an_error(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[]).write(tmp_path / "film.mp4")
    data = bytearray(film.read_bytes())
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[begin:end] = b"\xff" * (end - begin)
    film.write_bytes(data)
    with pytest.raises(MediaError, match="nothing of it can be decoded"):
        read(film)


def test_error_midway_keeps_what_is_before_and_after(tmp_path: Path) -> None:
    film = TinyFilm(gop=10).write(tmp_path / "film.mp4")
    with av.open(str(film)) as source:
        spots = [of.pos for of in source.demux(video=0) if of.pos and stamp(of) == 3]
    data = bytearray(film.read_bytes())
    data[spots[0] + 4 : spots[0] + 40] = b"\xff" * 36
    film.write_bytes(data)
    spans, decoded = read(film)
    assert masks(spans) == ("111111", "111111") and "of picture not decoded" in decoded.error


def test_library_notes_that_a_film_ends_before_its_container_says(tmp_path: Path) -> None:
    film = TinyFilm(options={"movflags": "+faststart"}).write(tmp_path / "film.mp4")
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    config = ExtractionConfig(picture=COLOUR, sound=LOUDNESS)
    extract([film], tmp_path / "data", config, workers=1, quiet=True)
    with (tmp_path / "data" / "videos.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert re.search(r"ends after [34]\.\d of 6\.0 s", row["note"])
