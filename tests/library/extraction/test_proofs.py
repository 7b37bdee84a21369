"""Proofs that take minutes: a thousand damaged files, twenty kills at random points."""

import random
import time
from pathlib import Path

import pytest

from reeltag.data.dataset import Dataset
from reeltag.library.database.library import Library
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.run import extract
from reeltag.library.media.finding import content_id
from tests.library.extraction.mutations import write_mutations, write_originals
from tests.library.extraction.synthetic_videos import write_film
from tests.library.extraction.toys import COLOUR, LOUDNESS
from tests.processes import Launch

pytestmark = pytest.mark.slow
TOYS = ExtractionConfig(picture=COLOUR, sound=LOUDNESS, shard_mb=25e-6)
NUM_MUTATIONS, NUM_KILLS, NUM_FILMS = 1000, 20, 12


def test_each_of_1000_damaged_files_is_an_entry_or_an_error_entry(tmp_path: Path) -> None:
    (tmp_path / "originals").mkdir()
    write_mutations(write_originals(tmp_path / "originals"), tmp_path / "films", NUM_MUTATIONS)
    summary = extract([tmp_path / "films"], tmp_path / "data", TOYS, workers=2, quiet=True)
    contents = {content_id(path) for path in (tmp_path / "films").iterdir()}
    with Library.open(tmp_path / "data") as library:
        videos = {video.content: video for video in library.videos()}
    assert videos.keys() == contents
    assert {video.state for video in videos.values()} == {"extracted", "error"}
    errors = [video.error for video in videos.values() if video.state == "error"]
    assert all(errors) and not any("\n" in error for error in errors)
    assert not [error for error in errors if "took too long" in error]  # none of them hung
    crashes = [error for error in errors if error.startswith("its process")]
    assert len(crashes) <= NUM_MUTATIONS // 50, crashes  # of FFmpeg
    ids = Dataset.open(tmp_path / "data", quiet=True).table["id"].to_pylist()
    assert len(ids) == len(set(ids)) == summary.extracted


def extract_all(films: Path, out: Path) -> int:
    """Extract into shards of a few videos; return how many videos were extracted now."""
    return extract([films], out, TOYS, workers=2, quiet=True).extracted


def test_killed_at_20_random_points_it_goes_on_to_the_same_shards(
    tmp_path: Path, launch: Launch
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for number in range(NUM_FILMS):
        write_film(films / f"film{number}.mp4", [20 * number + at for at in range(3)], 0.1)
    began = time.monotonic()
    launch(extract_all, films, tmp_path / "whole").result()
    seconds, whole = time.monotonic() - began, shards(tmp_path / "whole")
    chance = random.Random(0)
    for number in range(NUM_KILLS):
        out, kills = tmp_path / f"killed{number}", 0
        while kills < 1 + number % 3:
            started = launch(extract_all, films, out)
            time.sleep(chance.uniform(0, 1.1 * seconds))
            started.kill()
            kills += 1
        launch(extract_all, films, out).result()
        assert shards(out) == whole, number
        ids = Dataset.open(out, quiet=True).table["id"].to_pylist()
        assert sorted(ids) == sorted(f"film{at}" for at in range(NUM_FILMS))
        with Library.open(out) as library:
            assert {video.state for video in library.videos()} == {"extracted"}


def shards(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.glob("*.tfrecord")}
