"""Moments of all videos: of a class, a text, or like another one; order, threshold and export."""

import dataclasses
import io
import zipfile
from pathlib import Path
from threading import Event

import pytest
from starlette.testclient import TestClient

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.deploy.moment_formats import FORMATS
from reeltag.library.database.ratings import LibraryRating
from reeltag.library.similarity.candidates import CandidateIndex
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.project import Project
from reeltag.server.project.search import MomentSearchChoice, search_view
from reeltag.server.project.similar_moments import SimilarMoments
from reeltag.server.project.text_classes import has_text_encoder
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from tests.library.test_similar import write_data
from tests.library.test_similar_index import shots
from tests.server.conftest import Served


@pytest.fixture
def name(served: Served) -> str:
    """The class that is in the films for longest."""
    seconds: dict[str, float] = {}
    for _, start, end, of in served.truth():
        seconds[of] = seconds.get(of, 0) + end - start
    return max(seconds, key=lambda of: seconds[of])


def test_class_is_found_where_it_is_best_first(curved: Project, served: Served, name: str) -> None:
    view = search_view(curved, MomentSearchChoice(class_name=name, threshold=0.5))
    assert view.basis == "finder" and view.what == name and view.total == len(view.moments) > 0
    probs = [of.prob for of in view.moments]
    assert probs == sorted(probs, reverse=True) and probs[-1] >= 0.5
    best = view.moments[0]
    assert any(
        video == best.video and start - 1 <= best.best_s <= end + 1
        for video, start, end, of in served.truth()
        if of == name
    )
    assert best.sprite is not None and best.name == f"{best.video}.mp4"
    assert best.start_s <= best.best_s <= best.end_s


def test_moments_of_all_videos_are_ordered_by_probability_not_by_video(curved: Project) -> None:
    mixed = 0
    for name in curved.class_names:
        choice = MomentSearchChoice(class_name=name, threshold=0.01, limit=100)
        moments = search_view(curved, choice).moments
        probs = [of.prob for of in moments]
        assert probs == sorted(probs, reverse=True)
        videos = [of.video for of in moments]
        mixed += videos != sorted(videos)
    assert mixed


def test_higher_threshold_finds_fewer(curved: Project, name: str) -> None:
    totals = [
        search_view(curved, MomentSearchChoice(class_name=name, threshold=threshold)).total
        for threshold in (0.01, 0.5, 0.999)
    ]
    assert totals[0] >= totals[1] >= totals[2] and totals[0] > totals[2]


def test_pages_of_moments_follow_each_other(curved: Project, name: str) -> None:
    choice = MomentSearchChoice(class_name=name, threshold=0.01, limit=100)
    every = search_view(curved, choice)
    page = search_view(curved, dataclasses.replace(choice, offset=1, limit=2))
    assert page.moments == every.moments[1:3] and page.total == every.total


def test_first_search_shows_something_of_a_class_that_is_never_sure(curved: Project) -> None:
    for name in curved.class_names:
        view = search_view(curved, MomentSearchChoice(class_name=name))
        assert view.total > 0 or view.threshold == 0.01
        assert 0 < view.threshold <= 0.5 and view.suggested is None and view.expected is None


def test_threshold_that_keeps_a_promise_is_suggested(
    curved: Project, name: str, tmp_path: Path
) -> None:
    current = curved.finders.current
    assert current is not None
    names = curved.data.classes.names
    promised = tuple(
        ClassThreshold(name=of, logit=1.0, prob=0.731, precision=0.95, num_rated=9)
        if of == name
        else ClassThreshold(name=of, reason="too few ratings")
        for of in names
    )
    curves = curved.curves
    assert curves is not None
    folder = curved.folder / "curves" / current.key / curves.meta.token
    Thresholds(precision=0.9, classes=promised).save(folder)
    view = search_view(curved, MomentSearchChoice(class_name=name))
    assert view.suggested == view.threshold == 0.731
    other = next(of for of in names if of != name)
    assert search_view(curved, MomentSearchChoice(class_name=other)).suggested is None


def test_moments_of_some_videos_by_name(curved: Project, name: str) -> None:
    choice = MomentSearchChoice(class_name=name, threshold=0.01)
    video = search_view(curved, choice).moments[0].video
    found = search_view(curved, dataclasses.replace(choice, search=video.upper()))
    assert {of.video for of in found.moments} == {video}
    assert found.total == len(found.moments)


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [(0.0, 0.6, 1.0), (0.2, 0.4, 1.0), (0.6, 1.6, None)],
    ids=["most of the moment", "inside it", "less than half of either"],
)
def test_rating_of_half_a_moment_is_shown_with_it(
    curved: Project, name: str, first: float, last: float, shown: float | None
) -> None:
    """The rated window begins and ends at such parts of the moment."""
    choice = MomentSearchChoice(class_name=name, threshold=0.5)
    best = search_view(curved, choice).moments[0]
    assert best.rating is None and curved.library is not None
    length = best.end_s - best.start_s
    rating = LibraryRating(
        video_id=best.video,
        start_s=best.start_s + first * length,
        end_s=best.start_s + last * length,
        class_name=name,
        value=1.0,
    )
    curved.library.ratings.add([rating])
    assert search_view(curved, choice).moments[0].rating == shown


def test_expected_precision_comes_with_its_ratings(curved: Project, name: str) -> None:
    videos = curved.videos
    held_out = [of for of in videos.ids if videos.splits[videos.places[of]] == "test"]
    ratings = [
        LibraryRating(
            video_id=video, start_s=s, end_s=s + 1.0, class_name=name, value=float(s % 2 == 0)
        )
        for video in held_out
        for s in range(8)
    ]
    assert curved.library is not None
    curved.library.ratings.add(ratings)
    view = search_view(curved, MomentSearchChoice(class_name=name, threshold=0.0001))
    assert view.expected is not None and view.expected.num_ratings == len(ratings)
    assert view.expected.low < view.expected.value < view.expected.high
    assert view.expected.value == pytest.approx(0.5)


def test_similar_moments_are_of_other_places(curved: Project) -> None:
    view = search_view(curved, MomentSearchChoice(video="film_002", at_s=3.0))
    assert view.total > 0 and view.threshold == 0 and "film_002.mp4 at 3 s" in view.what
    assert all(of.class_name == "" and of.video != "film_002" for of in view.moments)
    with pytest.raises(NotThereError):
        search_view(curved, MomentSearchChoice(video="nothing"))
    with pytest.raises(ConfigError, match="is of"):
        search_view(curved, MomentSearchChoice(video="film_002", at_s=999.0))


def test_similar_moments_are_found_while_an_index_is_built_and_then_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    begun, may_go_on = Event(), Event()
    build = CandidateIndex._built

    def slowly(self: CandidateIndex) -> object:
        begun.set()
        assert may_go_on.wait(60)
        return build(self)

    monkeypatch.setattr(CandidateIndex, "_built", slowly)
    similar, data = SimilarMoments(index_from=1000), write_data(tmp_path / "data", shots())
    exact = similar.find(data, "v2", 3.0)
    assert begun.wait(60) and similar.find(data, "v3", 3.0) and not similar.is_indexed
    may_go_on.set()
    similar.wait()
    assert similar.is_indexed and similar.find(data, "v2", 3.0)[:5] == exact[:5]


def test_index_that_fails_is_built_of_data_that_were_read_again_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faiss")
    begun, may_fail, build = Event(), Event(), CandidateIndex._built

    def fails_at_first(self: CandidateIndex) -> object:
        if begun.is_set():
            return build(self)
        begun.set()
        assert may_fail.wait(60)
        raise DataError("was replaced")

    monkeypatch.setattr(CandidateIndex, "_built", fails_at_first)
    similar, data = SimilarMoments(index_from=1000), write_data(tmp_path / "data", shots())
    exact = similar.find(data, "v2", 3.0)
    assert begun.wait(60) and similar.find(Dataset.open(data.path, quiet=True), "v2", 3.0) == exact
    may_fail.set()
    similar.wait()
    assert similar.is_indexed and "without an index: was replaced" in capsys.readouterr().err


def test_similar_moments_of_few_frames_need_no_index(curved: Project) -> None:
    curved.similar.find(curved.data, "film_002", 3.0)
    curved.similar.wait()
    assert not curved.similar.is_indexed
    assert not [*(curved.path / ".reeltag").glob("*.faiss")]


def test_similar_moments_need_no_library_and_no_run(published: Path) -> None:
    project = Project.open(published)
    video = project.videos.ids[0]
    assert search_view(project, MomentSearchChoice(video=video)).total > 0


def test_text_means_a_class_by_name_or_by_meaning(curved: Project, name: str) -> None:
    assert search_view(curved, MomentSearchChoice(text=name.upper())).what == name
    if has_text_encoder():
        assert curved.has_text_search
        assert search_view(curved, MomentSearchChoice(text=f"a {name}")).what.endswith(f": {name}")
    nothing = search_view(curved, MomentSearchChoice(text="zzqx 17"))
    assert nothing.total == 0 and nothing.class_name == ""


def test_search_without_curves_says_what_to_do(project: Project, name: str) -> None:
    with pytest.raises(ConfigError, match=r"no curves to search yet\n"):
        search_view(project, MomentSearchChoice(class_name=name))
    with pytest.raises(ConfigError, match="one of them"):
        search_view(project, MomentSearchChoice())


@pytest.mark.parametrize("to", FORMATS, ids=lambda of: of.name)
def test_found_moments_are_exported(client: TestClient, name: str, to: object) -> None:
    format_name, makes = to.name, to.makes  # type: ignore[attr-defined]
    asked = {"class": name, "threshold": 0.3, "format": format_name}
    answer = client.get("/api/search/export", params=asked)
    if format_name == "youtube":  # wants three chapters of 10 s, which short films have not
        assert answer.status_code == 422 and "chapters" in answer.json()["error"]
        return
    assert answer.status_code == 200, answer.text
    assert f"moments-{format_name}" in answer.headers["content-disposition"]
    if makes == "folder":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None and archive.namelist()
    elif format_name == "csv":
        total = client.get("/api/search", params=asked).json()["total"]
        assert len(answer.text.splitlines()) == total + 1


def test_export_of_nothing_and_unknown_formats_are_words(client: TestClient, name: str) -> None:
    asked = {"class": name, "threshold": "0.3"}
    unknown = client.get("/api/search/export", params={**asked, "format": "cvs"})
    assert unknown.status_code == 422 and "csv" in unknown.json()["hint"]
    nothing = client.get("/api/search/export", params={"class": name, "threshold": 0.99999})
    assert nothing.status_code == 422 and "threshold" in nothing.json()["hint"]


@pytest.mark.parametrize(
    "asked", [{"threshold": "0"}, {"threshold": "nan"}, {"at": "inf"}, {"limit": "101"}]
)
def test_values_out_of_range_are_refused(
    client: TestClient, name: str, asked: dict[str, str]
) -> None:
    assert client.get("/api/search", params={"class": name, **asked}).status_code == 422


def test_shard_that_vanished_is_an_error_in_words(curved: Project, served: Served) -> None:
    data = curved.data
    (served.data / "train0000.tfrecord").unlink()
    with pytest.raises(DataError, match="train0000"):
        curved.similar.find(data, data.table["id"][0].as_py(), 0.0)


def test_moments_like_one_of_an_unknown_video_are_refused(curved: Project) -> None:
    with pytest.raises(ConfigError, match="there is no video 'nothing'"):
        curved.similar.find(curved.data, "nothing", 0.0)
