"""A project: what is there, what is noticed, and what goes wrong in words."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.features import Features
from reeltag.server.project.finders import Finders
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.overview import project_view
from reeltag.server.project.project import Project
from reeltag.server.project.video_page import video_view
from reeltag.server.views.overview import NoteView
from tests.server.conftest import NUM_FILMS, Served


def test_project_view_names_videos_classes_and_finder(project: Project) -> None:
    view = project_view(project)
    assert view.num_videos == NUM_FILMS and view.has_library and view.basis == "finder"
    assert view.classes == project.data.classes.names and view.finder is not None
    assert not view.finder.has_curves and view.finder.is_current
    words = "The curves of the current finder are not computed yet."
    assert view.notes == (NoteView(words=words, lacks_curves=True),)
    assert 0.01 < view.hours < 0.03


def test_published_features_without_library_have_videos(published: Path) -> None:
    project = Project.open(published)
    view = project_view(project)
    assert (view.num_videos, view.has_library, view.basis) == (60, False, "nothing")
    video = video_view(project, project.videos.ids[0])
    assert video.card.name == video.card.id and video.proxy == "impossible"
    assert video.sprite is None and video.streams == () and video.card.duration_s
    assert not (published / "library.sqlite").exists()


def test_run_of_other_features_is_refused_in_words(served: Served) -> None:
    path = served.data / "features.json"
    features = json.loads(path.read_text())
    features["streams"][0]["encoder"]["version"] = "99"
    path.write_text(json.dumps(features))
    with pytest.raises(DataError, match="features of another encoder"):
        Project.open(served.data, run=served.run)


def test_run_that_is_not_there_is_refused(served: Served) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        Project.open(served.data, run=served.data / "nothing")


def test_library_of_a_newer_reeltag_is_refused(served: Served) -> None:
    with sqlite3.connect(served.data / "library.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="newer reeltag"):
        Project.open(served.data)


def test_finder_of_last_time_is_current_again(served: Served) -> None:
    first = Project.open(served.data, run=served.run)
    again = Project.open(served.data)
    assert again.finders.current == first.finders.current != None  # noqa: E711


def test_finders_go_back_and_forth_by_key(tmp_path: Path, served: Served) -> None:
    other = tmp_path / "other" / "run"
    other.mkdir(parents=True)
    for file in served.run.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-4:] = b"\0\0\0\0"
    (other / "model.safetensors").write_bytes(weights)
    finders = Finders(tmp_path)
    old, new = finders.add(served.run, 3), finders.add(other, 50)
    assert finders.current == new and [of.key for of in finders.history] == [new.key, old.key]
    finders.use(old.key)
    kept = Finders(tmp_path)
    assert kept.current == old and kept.history == finders.history
    assert new.name == "other" and new.num_ratings == 50
    with pytest.raises(NotThereError, match="there is no finder"):
        finders.use("nothing")


@pytest.mark.parametrize(
    ("folder", "number", "name"),
    [
        ("mine/run", 50, "mine"),
        ("finder-final-a13dd557c895/run", 1222, "finder of 1,222 ratings"),
        ("finder-final-a13dd557c895/run", 1, "finder of 1 rating"),
        ("finder-final-a13dd557c895/run", 0, "finder-final-a13dd557c895"),
        ("finder-final", 3, "finder-final"),
    ],
)
def test_finder_has_the_name_of_its_folder_or_of_its_ratings(
    tmp_path: Path, served: Served, folder: str, number: int, name: str
) -> None:
    run = shutil.copytree(served.run, tmp_path / folder)
    assert Finders(tmp_path).add(run, number).name == name


def test_new_class_is_noticed(project: Project, served: Served) -> None:
    path = served.data / "classes.csv"
    path.write_text(path.read_text() + "99,zebra\n")
    project.reopen()
    assert project.class_names[-1] == "zebra" and len(project.data.classes) == 100


def test_shard_that_vanished_takes_its_videos_out_of_the_records(
    project: Project, served: Served
) -> None:
    assert (project.videos.rows >= 0).all()
    (served.data / "train0000.tfrecord").unlink()
    project.reopen()
    rows = project.videos.rows
    assert len(rows) == NUM_FILMS and 0 < (rows < 0).sum() < NUM_FILMS


def test_data_that_cannot_be_read_again_stay_and_are_named(
    project: Project, served: Served
) -> None:
    (served.data / "features.json").write_text("{")
    project.reopen()
    assert len(project.videos) == NUM_FILMS
    assert any("features.json" in note.words for note in project_view(project).notes)
    assert isinstance(project.data.features, Features)


def test_video_view_has_what_its_file_and_previews_hold(project: Project) -> None:
    view = video_view(project, "film_001")
    assert view.card.name == "film_001.mp4" and view.card.state == "extracted"
    assert view.card.has_poster and view.sprite is not None and view.sprite.count > 5
    assert view.loudness_hz == 10 and 90 < len(view.loudness_db) < 130
    assert view.streams[0].startswith("h264 256 x 192, 10 frames/s")
    assert set(view.classes) == set(project.data.classes.names)


def test_unknown_video_is_not_there_and_close_ones_are_named(project: Project) -> None:
    with pytest.raises(NotThereError, match=r"no video 'film_01'\n.*film_00"):
        video_view(project, "film_01")
