"""Synthetic films: the same bytes each time, and tables that are true of the files."""

import csv
from pathlib import Path

import av
import numpy as np
import pytest

from reeltag.core.errors import ConfigError, OutputError
from reeltag.data.synth.about import read_marker
from reeltag.library.synth.drawn_films import FilmsConfig, class_names, write_films
from reeltag.library.synth.drawn_pictures import PICTURES, draw_scene
from reeltag.library.synth.drawn_sounds import SOUNDS, TENTH, synthesise
from reeltag.library.synth.film_encoding import FPS, RATE, SIZE

CONFIG = FilmsConfig(number=2, min_seconds=8, max_seconds=10, seed=3)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn") / "films"
    write_films(out, CONFIG)
    return out


def test_films_are_marked_as_synthetic(films: Path) -> None:
    marker = read_marker(films)
    assert marker is not None and marker["made_by"].startswith("reeltag synth-films ")
    assert marker["config"]["number"] == marker["written"]["films"] == 2


def loudness(path: Path) -> np.ndarray:
    """Return the root mean square of each tenth of a second."""
    with av.open(str(path)) as source:
        parts = [frame.to_ndarray()[0] for frame in source.decode(audio=0)]
    sound = np.concatenate(parts)
    level: np.ndarray = np.sqrt(
        (sound[: len(sound) // TENTH * TENTH].reshape(-1, TENTH) ** 2).mean(1)
    )
    return level


def test_films_are_the_same_bytes_each_time(films: Path, tmp_path: Path) -> None:
    write_films(tmp_path / "again", CONFIG, jobs=2)
    names = sorted(path.name for path in films.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all((films / of).read_bytes() == (tmp_path / "again" / of).read_bytes() for of in names)


def test_another_seed_gives_other_films(films: Path, tmp_path: Path) -> None:
    write_films(tmp_path / "other", FilmsConfig(number=1, min_seconds=5, max_seconds=5, seed=4))
    assert rows_of(tmp_path / "other" / "moments.csv") != rows_of(films / "moments.csv")


def test_film_has_pictures_and_sound_of_one_length(films: Path) -> None:
    for path in films.glob("*.mp4"):
        with av.open(str(path)) as source:
            video, audio = source.streams.video[0], source.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert (video.width, video.height, audio.rate) == (*SIZE, RATE)
            assert video.frames / FPS == pytest.approx((source.duration or 0) / 1e6, abs=0.2)
            assert 8 <= video.frames / FPS <= 10


def test_cut_is_where_a_moment_begins(films: Path) -> None:
    """The largest change between pictures is at the beginning or end of a class that is seen."""
    found = 0
    for path in films.glob("*.mp4"):
        with av.open(str(path)) as source:
            frames = [
                frame.to_ndarray(format="gray")[::8, ::8].astype(float)
                for frame in source.decode(video=0)
            ]
        change = [np.abs(a - b).mean() for a, b in zip(frames[1:], frames[:-1], strict=True)]
        seen = [row for row in rows_of(films / "moments.csv") if row["class"] in PICTURES]
        edges = {
            round(float(row[name]) * FPS)
            for row in seen
            if row["video"] == path.name
            for name in ("start_s", "end_s")
        }
        cuts = edges - {0, len(frames)}
        assert not cuts or int(np.argmax(change)) + 1 in cuts
        found += len(cuts)
    assert found > 0


def test_sound_is_loud_where_a_moment_is_and_nowhere_else(films: Path) -> None:
    for path in films.glob("*.mp4"):
        level = loudness(path)
        heard = np.zeros(len(level), bool)
        for row in rows_of(films / "moments.csv"):
            if row["video"] == path.name and row["class"] in SOUNDS:
                heard[round(float(row["start_s"]) * 10) : round(float(row["end_s"]) * 10)] = True
        if heard.any():
            far = ~np.convolve(heard, np.ones(3), "same").astype(bool)
            assert level[far].max(initial=0) < 0.01 < np.quantile(level[heard], 0.6)


def test_ratings_and_labels_name_films_and_classes(films: Path) -> None:
    names = [row["name"] for row in rows_of(films / "classes.csv")]
    assert names == class_names() == sorted([*PICTURES, *SOUNDS])
    moments = rows_of(films / "moments.csv")
    for row in rows_of(films / "ratings.csv"):
        start, end = float(row["start_s"]), float(row["end_s"])
        seconds = sum(
            max(0.0, min(end, float(of["end_s"])) - max(start, float(of["start_s"])))
            for of in moments
            if (of["video"], of["class"]) == (row["video"], row["class"])
        )
        assert row["class"] in names and (seconds > 0) == (row["value"] == "1")
    assert all((films / row["video"]).is_file() for row in rows_of(films / "labels.csv"))


def test_noisy_labels_have_the_given_precision_and_recall() -> None:
    from reeltag.library.synth.drawn_films import _noisy_labels

    rng, config = np.random.default_rng(0), FilmsConfig()
    present = {"circles", "waves", "drum", "beeps"}
    found = [_noisy_labels(present, config, rng) for _ in range(800)]
    correct = sum(len(present & set(labels)) for labels in found)
    assert correct / (800 * 4) == pytest.approx(0.5, abs=0.03)
    assert correct / sum(map(len, found)) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_audible_from_beginning_to_end(name: str) -> None:
    sound = synthesise(name, 23, np.random.default_rng(1))
    level = np.sqrt((sound.reshape(-1, TENTH) ** 2).mean(1))
    loud = np.flatnonzero(level > 0.003)
    assert len(sound) == 23 * TENTH and loud[0] == 0 and loud[-1] >= 21
    assert np.diff(loud).max() <= 6


@pytest.mark.parametrize("name", ["", *PICTURES])
def test_scene_shows_a_drawing_unless_it_has_no_class(name: str) -> None:
    pictures = list(draw_scene(name, 3, np.random.default_rng(2)))
    assert [picture.shape for picture in pictures] == [(SIZE[1], SIZE[0], 3)] * 3
    step = np.abs(np.diff(pictures[0].astype(int), axis=1)).max()
    assert (step > 40) == bool(name)


def test_bad_arguments_are_named(films: Path) -> None:
    with pytest.raises(ConfigError, match="max_seconds"):
        FilmsConfig(min_seconds=20, max_seconds=10)
    with pytest.raises(ConfigError, match="jobs must be at least 1"):
        write_films(films.parent / "none", CONFIG, jobs=0)
    with pytest.raises(OutputError, match="exists already"):
        write_films(films, CONFIG)
