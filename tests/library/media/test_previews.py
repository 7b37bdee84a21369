"""Previews: thumbnails of the right times, a poster, loudness and cuts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reeltag.library.media.decoding import read_spans
from reeltag.library.media.previews import Previews
from tests.library.media.tiny_films import TinyFilm, moving, tone


def previews_of(film: Path, quick: bool = False) -> tuple[dict[str, Any], Path]:
    previews = Previews()
    for _ in read_spans(
        film, rate_hz=1.0, picture_size=(24, 32), context_s=0.0, quick=quick, previews=previews
    ):
        pass
    folder = film.parent / "previews"
    previews.save(folder, film.stem)
    about: dict[str, Any] = json.loads((folder / f"{film.stem}.json").read_text())
    return about, folder


def test_thumbnails_show_what_is_on_display_at_their_times(tmp_path: Path) -> None:
    about, folder = previews_of(TinyFilm().write(tmp_path / "film.mp4"))
    sheet = about["thumbnails"]
    assert (sheet["width"], sheet["height"], sheet["count"], sheet["interval_s"]) == (
        160,
        120,
        6,
        1,
    )
    with Image.open(folder / sheet["file"]) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (120, 6 * 160, 3)
    found = [pixels[100:, k * 160 + 100 : k * 160 + 160].mean() for k in range(6)]
    pictures = moving(60)
    expected = [pictures[10 * k][-8:, 40:].mean() for k in range(6)]
    np.testing.assert_allclose(found, expected, atol=3)  # of 255: coded twice


def test_thumbnail_in_a_pause_shows_what_is_still_there(tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), of, np.uint8) for of in (40, 120, 200)]
    film = TinyFilm(pictures=pictures, times=[0.0, 2.5, 4.5], tracks=[tone(6.0)])
    about, folder = previews_of(film.write(tmp_path / "film.mkv"))
    with Image.open(folder / about["thumbnails"]["file"]) as image:
        pixels = np.asarray(image)
    found = [pixels[:, k * 160 : (k + 1) * 160].mean() for k in range(5)]
    np.testing.assert_allclose(found, [40, 40, 40, 120, 120], atol=5)  # of 255: coded twice


def test_poster_and_loudness(tmp_path: Path) -> None:
    about, folder = previews_of(TinyFilm().write(tmp_path / "film.mp4"))
    with Image.open(folder / about["poster"]["file"]) as poster:
        assert poster.size == (640, 480)
    loudness = np.load(folder / about["loudness"]["file"])
    assert loudness.shape == (2, 60) and about["loudness"]["rate_hz"] == 10
    amplitude = 0.1 + 0.6 * (np.arange(60) + 0.5) / 60
    expected = 20 * np.log10(amplitude / np.sqrt(2))
    np.testing.assert_allclose(loudness[0, 1:-1], expected[1:-1], atol=0.5)  # dB, of AAC
    assert (loudness[1] > loudness[0]).all()


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_cut_is_where_the_scene_changes(tmp_path: Path, pixels: str) -> None:
    pictures = [*moving(33)[:20], *moving(33, seed=1)[::-1], *moving(40)[::-1]]
    film = TinyFilm(pictures=pictures, tracks=[], pixels=pixels).write(tmp_path / "film.mp4")
    assert previews_of(film)[0]["cuts_s"] == [2.0, 5.3]
    assert previews_of(film, quick=True)[0]["cuts_s"] is None


def test_still_film_has_no_cut(tmp_path: Path) -> None:
    film = TinyFilm(pictures=moving(1) * 30, tracks=[]).write(tmp_path / "film.mp4")
    assert previews_of(film)[0]["cuts_s"] == []


def test_sound_alone_has_no_pictures(tmp_path: Path) -> None:
    about, folder = previews_of(TinyFilm(pictures=[]).write(tmp_path / "sound.m4a"))
    assert about["thumbnails"] is about["poster"] is about["cuts_s"] is None
    assert sorted(of.name for of in folder.iterdir()) == ["sound.json", "sound.loudness.npy"]


def test_long_film_has_at_most_300_thumbnails(tmp_path: Path) -> None:
    times = [float(of) for of in range(0, 4000, 8)]
    film = TinyFilm(pictures=moving(1) * len(times), times=times, tracks=[tone(1.0)])
    about, folder = previews_of(film.write(tmp_path / "film.mkv"))
    sheet = about["thumbnails"]
    assert sheet["interval_s"] == 30 and sheet["count"] == 134
    with Image.open(folder / sheet["file"]) as image:
        assert image.size == (1600, 14 * 120)
