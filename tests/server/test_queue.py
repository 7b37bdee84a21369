"""What to rate next: unrated windows, with known chances, from every split."""

import shutil
from datetime import datetime, timedelta

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from reeltag.data.selection import lists_of
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.classes import add_class
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.finders import Finder
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.new_ratings import NewRating
from reeltag.server.project.progress import rate_view
from reeltag.server.project.project import Project
from reeltag.server.project.queue import WHY, prototype_logits
from reeltag.server.project.windows import VideoWindow, WindowGrid, moment_probs, window_features


def rate(project: Project, window: VideoWindow, name: str, answer: str) -> None:
    project.ratings.add(
        NewRating(
            video=window.video,
            start_s=window.start_s,
            end_s=window.end_s,
            class_name=name,
            answer="yes" if answer == "yes" else "no" if answer == "no" else "unsure",
        )
    )


def test_windows_cover_every_video_once(project: Project) -> None:
    grid = project.queue.grid
    for at, video in enumerate(project.videos.ids):
        start, stop = grid.first[at]
        windows = [grid.moment(number) for number in range(start, stop)]
        assert {of.video for of in windows} == {video} and windows[0].start_s == 0
        assert [of.end_s for of in windows[:-1]] == [of.start_s for of in windows[1:]]
        assert windows[-1].end_s == pytest.approx(project.videos.seconds[at], abs=1e-3)
        assert all(2.5 <= of.end_s - of.start_s < 7.5 for of in windows)


def test_rated_and_shown_windows_do_not_come_again(project: Project) -> None:
    name, grid = project.data.classes.names[0], project.queue.grid
    rated = [grid.moment(1), grid.moment(3), grid.moment(5)]
    for window, answer in zip(rated, ("yes", "no", "unsure"), strict=True):
        rate(project, window, name, answer)
    shown = list[VideoWindow]()
    while len(shown) < len(grid) - 3:
        view = rate_view(project, [name], 4, "balanced")
        assert view.windows and all(0 < of.chance <= 1 for of in view.windows)
        shown += [VideoWindow(of.video, of.start_s, of.end_s) for of in view.windows]
    assert len(set(shown)) == len(shown) and not set(shown) & set(rated)
    assert {of.video for of in shown} == set(project.videos.ids)  # those of test too
    again = rate_view(project, [name], 4, "random")  # all were skipped: once more
    chances = [1 / (len(shown) - drawn) for drawn in range(4)]
    assert [of.chance for of in again.windows] == pytest.approx(chances)


def test_half_rated_window_is_rated(project: Project) -> None:
    videos = project.videos
    grid = WindowGrid.of(videos, 5.0)
    rating = LibraryRating(
        video_id=videos.ids[0], start_s=2.0, end_s=7.4, class_name="x", value=1.0
    )
    assert np.flatnonzero(grid.rated([rating])).tolist() == [0]  # 3 of its 5 s, and 2.4 of the next
    whole = LibraryRating(video_id=videos.ids[0], start_s=0.0, end_s=None, class_name="x", value=0)
    assert grid.rated([whole]).sum() == grid.first[0][1] - grid.first[0][0]


@pytest.mark.usefixtures("at_noon")
def test_classes_with_fewer_ratings_have_their_turn(project: Project) -> None:
    first, second = project.data.classes.names[:2]
    for number in range(4):
        rate(project, project.queue.grid.moment(number), first, "no")
    view = rate_view(project, [first, second], 6, "balanced")
    assert [of.class_name for of in view.windows] == [first] + [second] * 5
    assert [(of.name, of.num_no) for of in view.classes] == [(first, 4), (second, 0)]
    assert (view.num_today, view.since_learned) == (4, 4)
    with pytest.raises(NotThereError, match="Gibberish"):
        rate_view(project, ["Gibberish"], 1, "balanced")


def test_ratings_of_today_are_those_of_this_day_in_utc(project: Project, at_noon: datetime) -> None:
    name = project.data.classes.names[0]
    assert project.library is not None
    for hours in (-13, -12, 11, 12):
        rating = LibraryRating(
            video_id=project.videos.ids[0],
            start_s=0.0,
            end_s=20.0 + hours,
            class_name=name,
            value=1.0,
            rated_at=at_noon + timedelta(hours=hours),
        )
        project.library.ratings.add([rating])
    assert rate_view(project, [name], 1, "balanced").num_today == 2


def test_windows_of_labelled_videos_are_asked_about(curved: Project) -> None:
    """By default their share is two fifths, of which random draws of a rare class have few."""
    data, grid = curved.data, curved.queue.grid
    starts, labels = lists_of(data.table, "labels")
    videos = np.bincount(labels, minlength=data.num_classes)
    rare = int(np.where(videos > 0, videos, 99).argmin())
    rows = np.searchsorted(starts, np.flatnonzero(labels == rare), "right") - 1
    labelled = {data.table["id"][int(row)].as_py() for row in rows}
    asked = [
        of
        for _ in range(3)
        for of in rate_view(curved, [data.classes.names[rare]], 5, "balanced").windows
        if of.why == "a label of the video"
    ]
    assert asked and {of.video for of in asked} <= labelled
    assert len(labelled) < len(set(np.asarray(grid.video).tolist()))


def test_windows_that_finders_disagree_on_are_asked_about(curved: Project) -> None:
    name, queue = curved.data.classes.names[0], curved.queue
    left = np.arange(len(queue.grid))
    assert queue._members(name, queue.grid, left) is None  # there is one finder
    assert {of.why for of in rate_view(curved, [name], 6, "disagreement").windows} == {
        WHY["random"]
    }
    other = _another_finder(curved)
    members = queue._members(name, queue.grid, left)
    assert members is not None and members.shape == (2, len(left))
    assert np.abs(members[0] - members[1]).max() > 1 and other.key != ""
    why = {of.why for of in rate_view(curved, [name], 12, "disagreement").windows}
    assert WHY["disputed"] in why


def _another_finder(project: Project) -> Finder:
    """Add a finder whose curves are those of the current one, turned in time."""
    current = project.finders.current
    assert current is not None
    run = project.folder / "another" / "run"
    shutil.copytree(current.path, run)
    weights = load_file(run / "model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, run / "model.safetensors")
    added = project.finders.add(run, 3, name="another")
    folder = curves_folder(project.folder, added.key)
    shutil.copytree(curves_folder(project.folder, current.key), folder)
    (logits,) = folder.glob("*/logits.npy")
    np.save(logits, np.load(logits)[:, ::-1])
    return added


def test_new_class_is_looked_for_where_it_is_like_what_was_marked(project: Project) -> None:
    """There is no curve of it: what is like the window with a yes is likely."""
    name = add_class(project, "Blue bird")
    grid = project.queue.grid
    rate(project, grid.moment(0), name, "yes")
    features = window_features(project.data, grid)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(len(grid)), abs=1e-4)
    logits, level = prototype_logits(features, [0], [len(grid) - 1])
    assert logits[0] == logits.max() > level > logits[-1]
    why = {of.why for of in rate_view(project, [name], 12, "likely").windows}
    assert "looks likely" in why


def test_probability_of_a_moment_is_the_mean_of_its_steps(curved: Project) -> None:
    curves = curved.curves
    assert curves is not None
    one, other = curves.ids[:2]
    moments = [
        VideoWindow(other, 2.0, 5.0),
        VideoWindow("not there", 0.0, 5.0),
        VideoWindow(one, 0.0, 1.0),
        VideoWindow(one, 4.2, 4.3),
        VideoWindow(other, 2.0, 1e6),
    ]
    index = len(curves.classes) - 1
    found = moment_probs(curves, index, moments)
    for at, (video, start_s, end_s) in enumerate(moments):
        curve = curves.curve(video, np.array([index]))
        if curve is None:
            assert np.isnan(found[at])
            continue
        step = curves.meta.hop_s
        first = int(start_s / step)
        steps = curve[0, first : max(first + 1, int(min(end_s, 1e4) / step))]
        assert found[at] == pytest.approx(steps.mean(), abs=1e-4)
    assert len(moment_probs(curves, index, [])) == 0
