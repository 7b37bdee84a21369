"""Curves on disk: what they hold, what is computed again, and what a time line gets of them."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.predictions.interval_rows import ScoredWindows
from reeltag.predictions.intervals import (
    IntervalConfig,
    find_intervals,
    intervals_of_curves,
    video_curve,
)
from reeltag.server.project import curve_job, thresholds
from reeltag.server.project.curve_sources import FinderCurves, encoder_classes
from reeltag.server.project.curve_views import curves_view
from reeltag.server.project.curves import ENCODER, CurvesMeta, CurveStore, curves_folder
from reeltag.server.project.curving import curve_command, videos_without_curves
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.overview import project_view
from reeltag.server.project.project import Project
from reeltag.server.project.video_list import ListChoice, video_list_view
from reeltag.server.views.overview import NoteView
from reeltag.tagger.moments import DEFAULT_PROB
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from tests.server.conftest import NUM_FILMS, Served


def opened(folder: Path) -> CurveStore:
    curves = CurveStore.open(folder)
    assert curves is not None
    return curves


def test_intervals_of_curves_are_those_of_their_windows() -> None:
    rng = np.random.default_rng(0)
    lengths, config = (40, 3, 25), IntervalConfig(length_s=4.0, hop_s=1.0, smooth_s=3.0)
    videos, parts, seconds = list[ScoredWindows](), list[np.ndarray](), []
    for at, length in enumerate(lengths):
        start, end = config.windows(length + 0.5)
        walk = np.cumsum(rng.normal(size=(len(start), 3)), axis=0)
        windows = ScoredWindows(
            ids=pa.array([f"v{at}"] * len(start)), start_s=start, end_s=end, logits=walk
        )
        videos.append(windows)
        parts += [video_curve(windows, config).T, np.full((3, 1), -np.inf, np.float32)]
        seconds.append(length + 0.5)
    high = np.array([0.5, -0.5, np.inf])
    joined = ScoredWindows(
        ids=pa.concat_arrays([of.ids for of in videos]),
        start_s=np.concatenate([of.start_s for of in videos]),
        end_s=np.concatenate([of.end_s for of in videos]),
        logits=np.concatenate([of.logits for of in videos]),
    )
    expected = find_intervals(joined, config, high)
    found = intervals_of_curves(
        np.concatenate(parts, axis=1),
        np.array([part.shape[1] for part in parts[::2]]),
        pa.array(["v0", "v1", "v2"]),
        np.array(seconds),
        config,
        high,
    )
    assert len(expected) > 4 and set(expected.classes.tolist()) == {0, 1}
    assert found.to_arrow().equals(expected.to_arrow())


def test_curves_are_the_mean_probabilities_of_windows(curved: Project, served: Served) -> None:
    curves = curved.curves
    assert curves is not None and curves.meta.basis == "finder"
    assert curves.classes == curved.data.classes.names and len(curves.ids) == NUM_FILMS
    tagger = Tagger.load(served.run)
    items = curved.data.videos("all")
    ids = items.records.table["id"].to_pylist()
    batch = next(iter(Loader(items, batch_size=1, labels=False)))
    frames = batch.frames[0]
    alone = [tagger.score(frame[None, None], batch.mask[:, :1])[0].numpy() for frame in frames]
    curve = curves.curve(ids[0], np.arange(len(curves.classes)))
    assert curve is not None
    # a logit of float16 in [-16, 16) is off by at most 1 / 256: a probability by a quarter of it
    np.testing.assert_allclose(curve, sigmoid(np.array(alone)).T, atol=1 / 1024)


def test_steps_between_videos_belong_to_none(curved: Project) -> None:
    curves = curved.curves
    assert curves is not None
    logits = curves.logits.of_steps(0, curves.logits.shape[1])
    assert (logits[:, curves.ends] == -np.inf).all()
    inside = np.ones(logits.shape[1], bool)
    inside[curves.ends] = False
    assert np.isfinite(logits[:, inside].astype(np.float32)).all()
    for at, video in enumerate(curves.ids):
        curve = curves.curve(video, np.arange(len(curves.classes)))
        assert curve is not None
        np.testing.assert_allclose(curve.max(1), sigmoid(curves.best[at], np.float32), rtol=1e-6)


def test_only_new_videos_are_computed(
    served: Served, synthetic_curves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "curves"
    shutil.copytree(synthetic_curves, out)
    before = opened(out)
    with (served.data / "test0000.tfrecord").open("r+b") as file:  # another time of change
        first = file.read(1)
        file.seek(0)
        file.write(first)
    scored = list[int]()
    original = FinderCurves.curves

    def counted(self: FinderCurves, rows: np.ndarray) -> object:
        scored.append(len(rows))
        return original(self, rows)

    monkeypatch.setattr(FinderCurves, "curves", counted)
    arguments = [str(served.data), str(served.run), str(out), "--length", "1"]
    assert curve_job.main(arguments) == 0
    held_out = len(Dataset.open(served.data, quiet=True).rows("test"))
    assert scored == [held_out] and 0 < held_out < NUM_FILMS
    after = opened(out)
    found, wanted = (of.logits.of_steps(0, of.logits.shape[1]) for of in (after, before))
    np.testing.assert_array_equal(found, wanted)
    assert [of.name for of in out.iterdir() if of.is_dir()] == [after.meta.token]


def test_videos_without_curves_are_counted_and_named(curved: Project, served: Served) -> None:
    assert videos_without_curves(curved) == 0 and project_view(curved).notes == ()
    path = served.data / "test0000.tfrecord"
    path.write_bytes(path.read_bytes())
    curved.reopen()
    missing = videos_without_curves(curved)
    assert missing == len(curved.data.rows("test"))
    note = NoteView(words=f"{missing} videos have no curves yet.", lacks_curves=True)
    assert note in project_view(curved).notes


def test_job_of_another_run_says_so_in_words(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert curve_job.main([str(served.data), str(tmp_path), str(tmp_path / "out")]) == 2
    words = capsys.readouterr().err
    assert "config.json" in words and "Traceback" not in words
    assert not (tmp_path / "out").exists()


def test_data_of_no_known_encoder_have_no_curves_and_no_failure(
    published: Path, tmp_path: Path
) -> None:
    project = Project.open(published)
    assert videos_without_curves(project) is None
    command = curve_command(project, ENCODER)
    assert curve_job.main(command[3:]) == 0
    assert project.curves is None and project.basis == "nothing"
    assert videos_without_curves(project) == 0


def test_encoder_has_curves_of_its_own_classes(served: Served) -> None:
    project = Project.open(served.data)
    assert curve_job.main(curve_command(project, ENCODER)[3:]) == 0
    assert project.basis == "encoder"
    curves = project.curves
    assert curves is not None and len(curves.ids) == NUM_FILMS
    assert {"dog", "teapot"} <= {name.casefold() for name in curves.classes}
    assert set(project.class_names) > set(project.data.classes.names)
    view = curves_view(project, "film_001", top=5)
    assert view.basis == "encoder" and len(view.curves) == 5
    strongest = [max(of.prob) for of in view.curves]
    assert strongest == sorted(strongest, reverse=True)
    assert all(0 <= prob <= 1 for of in view.curves for prob in of.prob)


def test_words_for_several_classes_add_their_probabilities() -> None:
    class Encoder:
        class_names = ("beagle, hound", "crane, bird", "crane", "Dog")
        class_groups = {"dog": (0, 3)}  # noqa: RUF012

    found = encoder_classes(Encoder())  # type: ignore[arg-type]
    assert found == {"dog": (0, 3), "beagle": (0,), "crane, bird": (1,), "crane": (2,)}


def test_curves_view_finds_the_moments_that_are_there(curved: Project, served: Served) -> None:
    hits = 0
    for video, start, end, name in (of for of in served.truth() if of[2] - of[1] >= 2):
        (curve,) = curves_view(curved, video, [name]).curves
        spans = [(of.start_s, of.end_s) for of in curve.moments]
        hits += any(min(end, b) > max(start, a) for a, b in spans)
    assert hits >= 0.7 * sum(of[2] - of[1] >= 2 for of in served.truth())


def test_class_without_a_promised_threshold_has_moments_at_the_default(
    curved: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = curved.data.classes.names
    promised = ClassThreshold(name=names[0], logit=2.0, prob=0.88, precision=0.9)
    others = tuple(ClassThreshold(name=name, reason="too few ratings") for name in names[1:])
    kept = Thresholds(precision=0.9, classes=(promised, *others))
    monkeypatch.setattr(thresholds, "_read", lambda _: kept)
    shown = [curves_view(curved, "film_001", [of]).curves[0].threshold for of in names[:2]]
    assert shown == [0.88, DEFAULT_PROB]


def test_curves_view_takes_names_in_any_case_and_refuses_unknown_ones(curved: Project) -> None:
    name = curved.data.classes.names[0]
    assert [of.name for of in curves_view(curved, "film_001", [name.upper()]).curves] == [name]
    assert len(curves_view(curved, "film_001", top=3).curves) == 3
    with pytest.raises(NotThereError, match="no class"):
        curves_view(curved, "film_001", ["nothing like it"])
    with pytest.raises(NotThereError, match="no video"):
        curves_view(curved, "film_999")
    with pytest.raises(NotThereError, match="no finder"):
        curves_view(curved, "film_001", finder="nothing")


def test_class_that_was_typed_has_no_curve_and_is_no_error(curved: Project, served: Served) -> None:
    path = served.data / "classes.csv"
    path.write_text(path.read_text() + "99,zebra\n")
    curved.reopen()
    assert curves_view(curved, "film_001", ["zebra"]).curves == ()


def test_damaged_curves_are_words(curved: Project) -> None:
    current = curved.finders.current
    assert current is not None
    folder = curves_folder(curved.folder, current.key)
    meta = CurvesMeta.find(folder)
    assert meta is not None
    (folder / meta.token / "logits.npy").write_bytes(b"nothing")
    with pytest.raises(Exception, match="Delete the folder"):
        CurveStore.open(folder)


def test_list_has_tags_and_filters_by_class(curved: Project) -> None:
    cards = video_list_view(curved, ListChoice()).videos
    assert all(card.tags for card in cards)
    name = cards[0].tags[0].name
    found = video_list_view(curved, ListChoice(class_name=name, sort="class")).videos
    assert {card.id for card in found} == {
        card.id for card in cards if name in [tag.name for tag in card.tags]
    }
    probs = [tag.prob for card in found for tag in card.tags if tag.name == name]
    assert probs == sorted(probs, reverse=True)


def test_api_returns_curves_and_404(client: TestClient) -> None:
    body = client.get("/api/curves", params={"id": "film_001", "top": 2}).json()
    assert body["hop_s"] == 1 and len(body["curves"]) == 2
    assert set(body["curves"][0]) == {"name", "threshold", "prob", "moments"}
    missing = client.get("/api/curves", params={"id": "nothing"})
    assert missing.status_code == 404 and "no video" in missing.json()["error"]
    assert client.get("/api/video", params={"id": "film_001"}).json()["card"]["tags"]
    assert client.get("/api/videos", params={"limit": 2}).json()["total"] == NUM_FILMS
    assert client.get("/api/videos", params={"limit": 201}).status_code == 422
    assert client.get("/api/project").json()["finder"]["has_curves"]
