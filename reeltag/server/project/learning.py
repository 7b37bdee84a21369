"""Learning from what was rated: a job, the finder that it makes, and what that is worth."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reeltag.server.jobs import Jobs
from reeltag.server.project.comparing import comparison_view, hardest_moments
from reeltag.server.project.curve_views import curves_view
from reeltag.server.project.finders import Finder, name_by_ratings
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.overview import finder_view
from reeltag.server.project.progress import class_progress
from reeltag.server.project.snapshots import (
    learned_run,
    read_about,
    remove_unused,
    why_not_learn,
    write_snapshot,
)
from reeltag.server.project.video_page import video_view
from reeltag.server.views.learning import CompareView, ComparisonView, LearnView
from reeltag.server.views.overview import FinderView, JobView
from reeltag.server.views.videos import CurvesView

if TYPE_CHECKING:  # which has finders
    from reeltag.server.project.project import Project

_ACTIVE = ("waiting", "running")
_RESULT = "/learn"


def start_learning(project: "Project", jobs: Jobs) -> JobView:
    """Start a job that learns from all ratings and labels as they are now; one at a time.

    Args:
        project: to learn from.
        jobs: that the job is one of.

    Returns:
        the job; that which learns already, if there is one.

    Raises:
        ConflictError: there is nothing to learn from yet.
        OutputError: nothing can be written.
    """
    active = learning_job(jobs)
    if active is not None:
        return active
    snapshot = write_snapshot(project)

    def on_done() -> None:
        add_learned(project, snapshot)

    number = read_about(snapshot).num_ratings
    title = f"Learning from {number:,} ratings" if number else "Learning from labels"
    command = [sys.executable, "-m", "reeltag.server.project.learn_job"]
    arguments = [
        str(project.path.resolve()),
        str(snapshot.resolve()),
        str(project.folder.resolve()),
    ]
    return jobs.start(
        "learn",
        title,
        [*command, *arguments],
        result=_RESULT,
        on_done=on_done,
    )


def add_learned(project: "Project", snapshot: Path) -> Finder:
    """Add the finder that was trained on a snapshot, and make it the current one.

    Snapshots that no finder was trained on are removed.

    Args:
        project: that has learned.
        snapshot: folder of what it has learned from, with the run.

    Raises:
        DataError: it was not trained to its end.
    """
    run = learned_run(snapshot)
    about = read_about(snapshot)
    finder = project.finders.add(run, about.num_ratings, name=name_by_ratings(about.num_ratings))
    about.save(project, finder.key)
    remove_unused(project, snapshot)
    return finder


def learning_job(jobs: Jobs) -> JobView | None:
    """Return the job that learns now; None = there is none."""
    return next((job for job in jobs.active() if job.kind == "learn"), None)


def shown_job(jobs: Jobs) -> JobView | None:
    """Return the job that learns now, or the last one that did if it has failed; None = neither."""
    last = next((job for job in jobs.all() if job.kind == "learn"), None)
    is_shown = last is not None and (last.state in _ACTIVE or last.state == "failed")
    return last if is_shown else None


def use_finder(project: "Project", key: str) -> FinderView:
    """Make a finder the current one again, and return it.

    Args:
        project: that has the finder.
        key: of the finder.

    Raises:
        NotThereError: there is no such finder.
        DataError: its run is gone.
    """
    return finder_view(project, project.finders.use(key))


def learn_view(project: "Project", jobs: Jobs) -> LearnView:
    """Return what can be learned from, what was learned, and whether it was worth it."""
    why_not = why_not_learn(project)
    return LearnView(
        classes=tuple(class_progress(project)),
        finders=tuple(finder_view(project, finder) for finder in project.finders.history),
        comparison=_comparison(project),
        can_learn=not why_not,
        why_not=why_not,
        job=shown_job(jobs),
    )


def compare_view(project: "Project", old: str = "", new: str = "", video: str = "") -> CompareView:
    """Return two finders side by side on a video, and on the rated windows they differ most on.

    Both show the classes that are strongest there by the new one, those that the old one has too.

    Args:
        project: of the finders.
        old: key; "" = the one before the new one.
        new: key; "" = the current one.
        video: id; "" = that of the window on which they differ most, or else the first one.

    Raises:
        NotThereError: there is no such finder or video, or no two finders.
    """
    finders = project.finders
    second = finders.get(new) if new else finders.current
    first = finders.get(old) if old else _before(project, second)
    if first is None or second is None:
        raise NotThereError(
            "there are no two finders to compare", hint="Learn twice, or name them: old= and new=."
        )
    hardest = hardest_moments(project, first, second)
    if not video:
        ids = project.videos.ids
        video = hardest[0].video if hardest else ids[0] if ids else ""
    new_curves = curves_view(project, video, finder=second.key)
    names = tuple(curve.name for curve in new_curves.curves)
    known = project.curves_of(first.key)
    shared = [] if known is None else [name for name in names if name in known.class_places]
    no_curves = CurvesView(basis="finder", hop_s=new_curves.hop_s, curves=())
    return CompareView(
        old=finder_view(project, first),
        new=finder_view(project, second),
        video=video_view(project, video),
        old_curves=curves_view(project, video, shared, finder=first.key) if shared else no_curves,
        new_curves=new_curves,
        hardest=hardest,
    )


def _before(project: "Project", finder: Finder | None) -> Finder | None:
    """Return the finder that was made before another one; None = there is none."""
    history = project.finders.history
    if finder is None:
        return None
    older = history[history.index(finder) + 1 :]
    return older[0] if older else None


def _comparison(project: "Project") -> ComparisonView | None:
    """Compare the current finder with the one before it; None = there is none before it."""
    current = project.finders.current
    before = _before(project, current)
    if current is None or before is None:
        return None
    return comparison_view(project, before, current)
