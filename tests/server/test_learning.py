"""Learning from ratings: the job, the finder it makes, the way back, and what it was worth."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from safetensors.torch import load_file, save_file

from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.server.jobs import Jobs
from reeltag.server.project import learn_job, progress
from reeltag.server.project.comparing import _difference, comparison_view
from reeltag.server.project.curves import CurvesMeta, curves_folder
from reeltag.server.project.finders import Finder
from reeltag.server.project.learned import LearnedFrom
from reeltag.server.project.learning import add_learned, compare_view
from reeltag.server.project.new_ratings import NewRating
from reeltag.server.project.project import Project
from reeltag.server.project.scoring import ClassRatings
from reeltag.server.project.snapshots import (
    CLASSES,
    RATINGS,
    RUN_FILE,
    read_about,
    write_snapshot,
)
from reeltag.server.project.windows import VideoWindow
from reeltag.server.views.ratings import Answer
from tests.processes import wait_until
from tests.server.conftest import Served
from tests.server.shells import program_of


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    with program_of(project) as opened:
        yield opened


def rate(
    project: Project, video: str, start_s: float, name: str, answer: Answer, **more: Any
) -> int:
    given = NewRating(
        video=video, start_s=start_s, end_s=start_s + 2, class_name=name, answer=answer, **more
    )
    return project.ratings.add(given).key


def rate_truth(project: Project, served: Served, split: str) -> int:
    """Rate a yes and a no of each moment in videos of a split; return the number."""
    number, places = 0, project.videos.places
    for video, start_s, end_s, name in served.truth():
        if project.videos.splits[places[video]] == split and end_s - start_s > 2:
            rate(project, video, start_s, name, "yes")
            others = [of for of in project.data.classes.names if of != name]
            rate(project, video, start_s, others[number % len(others)], "no")
            number += 2
    return number


def finished(client: TestClient, key: str) -> dict[str, Any]:
    job: dict[str, Any] = {}

    def has_ended() -> bool:
        job.update(client.get(f"/api/jobs/{key}").json())
        return job["state"] not in ("waiting", "running")

    wait_until(has_ended)
    return job


def test_learning_makes_a_finder_and_one_can_go_back(
    client: TestClient, project: Project, served: Served
) -> None:
    number = rate_truth(project, served, "train")
    rate_truth(project, served, "test")
    (before,) = project.finders.history
    started = client.post("/api/learn", json={})
    assert started.status_code == 202
    assert client.post("/api/learn", json={}).json()["key"] == started.json()["key"]
    job = finished(client, started.json()["key"])
    assert (job["state"], job["result"]) == ("done", "/learn"), job
    view = client.get("/api/learn").json()
    new, old = view["finders"]
    assert new["is_current"] and new["has_curves"] and old["key"] == before.key
    assert new["num_ratings"] == number
    back = client.post(f"/api/finders/{old['key']}/use")
    assert back.status_code == 200 and back.json()["is_current"]
    assert project.finders.current == before
    assert client.post("/api/finders/none/use").status_code == 404


def test_nothing_is_learned_from_a_yes_alone(served: Served) -> None:
    (served.data / "labels.csv").unlink()
    project = Project.open(served.data)
    with program_of(project) as client:
        view = client.get("/api/learn").json()
        assert not view["can_learn"] and "no rating and no label" in view["why_not"]
        train = next(
            video
            for video, split in zip(project.videos.ids, project.videos.splits, strict=True)
            if split == "train"
        )
        first, second = project.data.classes.names[:2]
        rate(project, train, 0.0, first, "yes")
        rate(project, train, 0.0, second, "no")
        response = client.post("/api/learn", json={})
        assert response.status_code == 409 and "has a yes and a no" in response.json()["hint"]
        rate(project, train, 4.0, first, "no")
        assert client.get("/api/learn").json()["can_learn"]


def test_snapshot_has_means_and_no_yes_to_a_whole_video(project: Project) -> None:
    train, name = project.videos.ids[0], project.data.classes.names[0]
    rate(project, train, 0.0, name, "yes", who="me")
    rate(project, train, 0.0, name, "no", who="you")
    rate(project, train, 4.0, name, "unsure")
    other = project.data.classes.names[1]
    whole = NewRating(video=train, start_s=0.0, end_s=None, class_name=name, answer="yes")
    project.ratings.add(whole)
    project.ratings.add(replace(whole, class_name=other, answer="no"))
    snapshot = write_snapshot(project)
    opened = Dataset.open(
        project.path, ratings=snapshot / RATINGS, classes=snapshot / CLASSES, quiet=True
    )
    row = next(row for row in opened.table.to_pylist() if row["id"] == train)
    seconds = pytest.approx(project.videos.seconds[0])
    assert sorted(zip(row["segment_ends"], row["segment_scores"], strict=True)) == [
        (2.0, 0.5),
        (seconds, 0.0),
    ]
    assert read_about(snapshot).last_key == 5


def test_snapshots_stay_while_a_finder_that_was_trained_on_them_is_there(
    project: Project, served: Served, tmp_path: Path
) -> None:
    rate_truth(project, served, "train")
    snapshots, video = [], project.videos.ids[0]
    for at in range(4):
        rate(project, video, float(at), project.data.classes.names[0], "no")
        snapshots.append(write_snapshot(project))
    first, never, gone, last = snapshots
    runs = {of: shutil.copytree(served.run, tmp_path / f"run {of.name}") for of in (first, gone)}
    for at, (snapshot, run) in enumerate(runs.items()):
        weights = run / "model.safetensors"
        tensors = load_file(weights)
        save_file({name: (2 + at) * of for name, of in tensors.items()}, weights)
        write_json(snapshot / RUN_FILE, {"run": str(run)})
    add_learned(project, first)
    assert all(of.is_dir() for of in snapshots)  # the others may wait to be learned from
    add_learned(project, gone)
    assert first.is_dir() and not never.exists() and last.is_dir()
    shutil.rmtree(runs[gone])
    write_json(last / RUN_FILE, {"run": str(served.run)})
    add_learned(project, last)
    assert first.is_dir() and last.is_dir() and not gone.exists()


def test_few_ratings_are_regressed(project: Project) -> None:
    data = project.data
    assert len(lists_of(data.table, "labels")[1])
    configs = [learn_job.config_for(data, number) for number in (0, 2, 100)]
    assert [(of.without_ratings, of.finder) for of in configs] == [
        (True, "auto"),
        (False, "frames"),
        (False, "auto"),
    ]


class Pair:
    """Two finders with curves that are made up, and one class that both know."""

    def __init__(self, project: Project, old: float, new: float) -> None:
        """The new one is right by `new`: its logit of positive windows; so is the old one."""
        self.project, self.name = project, project.data.classes.names[0]
        first = project.finders.history[0]
        second = replace(first, key="abcdef", name="new")
        project.finders._history = (second, first)
        self.old, self.new = first, second
        for finder, logit in ((first, old), (second, new)):
            self._write(finder, logit)
        LearnedFrom(last_key=0, num_ratings=0).save(project, first.key)
        LearnedFrom(last_key=0, num_ratings=0).save(project, second.key)

    def _write(self, finder: Finder, logit: float) -> None:
        """Write curves of one class: `logit` in the first half of a video, 0 in the second."""
        folder = curves_folder(self.project.folder, finder.key)
        (folder / "t").mkdir(parents=True)
        videos = len(self.project.videos)
        curve = np.array([*[logit] * 5, *[0.0] * 5, -np.inf], np.float16)
        np.save(folder / "t" / "logits.npy", np.tile(curve, videos)[None])
        np.save(folder / "t" / "best.npy", np.full((videos, 1), max(logit, 0), np.float16))
        np.save(folder / "t" / "top.npy", np.zeros((videos, 1), np.int32))
        table = {
            "id": list(self.project.videos.ids),
            "first": [11 * at for at in range(videos)],
            "steps": [10] * videos,
            "seconds": [10.0] * videos,
            "stamp": [""] * videos,
        }
        pq.write_table(pa.table(table), folder / "t" / "videos.parquet")
        CurvesMeta(
            token="t",
            key=finder.key,
            basis="finder",
            classes=(self.name,),
            hop_s=1.0,
            length_s=5.0,
        ).save(folder)

    def rate_all(self) -> None:
        for video in self.project.videos.ids:
            rate(self.project, video, 1.0, self.name, "yes")
            rate(self.project, video, 7.0, self.name, "no")


def test_better_finder_is_better_on_ratings_that_neither_has_seen(project: Project) -> None:
    pair = Pair(project, old=-2.0, new=2.0)
    nothing = comparison_view(project, pair.old, pair.new)
    assert nothing.num_ratings == 0 and "no rating that neither" in nothing.words
    pair.rate_all()
    found = comparison_view(project, pair.old, pair.new)
    assert found.words == "better on 1 class" and found.num_ratings == 12
    (of,) = found.classes
    assert of.new == pytest.approx(1.0) and of.old < 0.6 and 0 < of.low <= of.new - of.old
    assert comparison_view(project, pair.new, pair.old).words == "worse on 1 class"
    same = comparison_view(project, pair.new, pair.new)
    assert same.words == "no difference shown on 1 class"


def test_finders_that_are_alike_do_not_differ_by_rounding() -> None:
    rng, verdicts = np.random.default_rng(0), set[str]()
    for number in range(6, 30):
        moments = tuple(VideoWindow(f"video {at % 5}", at, at + 5.0) for at in range(number))
        values = (np.arange(number) % 2).astype(np.float64)
        rated = ClassRatings(moments, values, np.ones(number), np.arange(number))
        old, new = (values + rng.random(number) / 2 for _ in range(2))  # both without a fault
        weights = rng.uniform(0.1, 3, number)
        found = _difference("drum", rated, old, new, weights)
        assert found is not None
        verdicts.add(found.verdict)
    assert verdicts == {"no difference shown"}


def test_ratings_that_a_finder_has_learned_from_do_not_compare(project: Project) -> None:
    """But for those of test, which never train."""
    pair = Pair(project, old=-2.0, new=2.0)
    pair.rate_all()
    last = project.ratings.all()[-1].key or 0
    LearnedFrom(last_key=max(last, 12), num_ratings=12).save(project, pair.new.key)
    test = sum(split == "test" for split in project.videos.splits)
    assert 0 < test < 6
    assert comparison_view(project, pair.old, pair.new).num_ratings == 2 * test


def test_compare_shows_the_hardest_window_first(project: Project) -> None:
    pair = Pair(project, old=-2.0, new=2.0)
    pair.rate_all()
    view = compare_view(project, pair.old.key, pair.new.key)
    assert (view.old.key, view.new.key) == (pair.old.key, pair.new.key)
    hardest = view.hardest[0]
    assert (hardest.start_s, hardest.value) == (1.0, 1.0) and hardest.new > 0.8 > 0.2 > hardest.old
    assert view.video.card.id == hardest.video
    assert [of.name for of in view.old_curves.curves] == [pair.name]
    assert len(view.new_curves.curves[0].prob) == 10


def test_figures_of_a_class_have_the_ratings_behind_them(project: Project) -> None:
    pair = Pair(project, old=-2.0, new=2.0)
    project.finders.use(pair.new.key)
    pair.rate_all()
    (found,) = project.progress.of([pair.name])
    assert (found.num_yes, found.num_no) == (6, 6)
    for figure in (found.precision, found.recall, found.average_precision):
        assert figure is not None and figure.num_ratings == 12
        assert figure.low <= figure.value <= figure.high
    assert found.recall is not None and found.recall.value == pytest.approx(1.0)
    assert found.gain is None and "learn again" in found.advice


def test_gain_of_more_ratings_is_computed_again_with_ratings_not_with_the_finder_in_use(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, computed = Pair(project, old=-2.0, new=2.0), list[str]()
    pair.rate_all()
    gain_of = progress._gain

    def counted(project: Project, finders: Any, name: str, rated: ClassRatings) -> Any:
        computed.append(name)
        return gain_of(project, finders, name, rated)

    monkeypatch.setattr(progress, "_gain", counted)
    recalls = []
    for finder in (pair.new, pair.old, pair.new):
        project.finders.use(finder.key)
        (found,) = project.progress.of([pair.name])
        assert found.recall is not None
        recalls.append(found.recall.value)
    assert computed == [pair.name]
    assert recalls[0] == recalls[2] != recalls[1]
    rate(project, project.videos.ids[0], 7.0, pair.name, "no")
    project.progress.of([pair.name])
    assert computed == [pair.name] * 2


def test_job_says_in_words_what_is_wrong(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "about.json").write_text(
        json.dumps({"last_key": 0, "num_ratings": 1, "per_class": {}})
    )
    project.data.classes.save(tmp_path / CLASSES)
    arguments = [str(tmp_path / "none"), str(tmp_path), str(tmp_path)]
    assert learn_job.main(arguments) == 2
    printed = capsys.readouterr().err
    assert "progress: 0.010" in printed and str(tmp_path / "none") in printed
    assert "Traceback" not in printed


def test_learning_that_failed_is_shown_until_the_next_one(client: TestClient) -> None:
    jobs: Jobs = client.app.state.jobs  # type: ignore[attr-defined]
    failing = [sys.executable, "-c", "import sys; sys.exit('no space is left')"]
    job = jobs.start("learn", "Learning from 2 ratings", failing)
    finished(client, job.key)
    shown = client.get("/api/learn").json()["job"]
    assert (shown["key"], shown["state"]) == (job.key, "failed")
    assert "no space is left" in shown["message"]
    finished(client, jobs.start("learn", "Learning again", [sys.executable, "-c", ""]).key)
    assert client.get("/api/learn").json()["job"] is None
