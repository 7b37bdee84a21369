"""What every page needs of a project."""

from collections.abc import Sequence

import numpy as np

from reeltag.server.project.curving import videos_without_curves
from reeltag.server.project.finders import Finder
from reeltag.server.project.project import Project
from reeltag.server.views.overview import FinderView, JobView, NoteView, ProjectView


def project_view(
    project: Project, *, jobs: Sequence[JobView] = (), can_upload: bool = False
) -> ProjectView:
    """Return what every page needs.

    Args:
        project: of the data.
        jobs: that run or wait.
        can_upload: whether files are taken.
    """
    videos, current = project.videos, project.finders.current
    return ProjectView(
        name=project.path.resolve().name,
        num_videos=len(videos),
        hours=round(float(np.nansum(videos.seconds)) / 3600, 3),
        classes=project.class_names,
        has_library=project.library is not None,
        basis=project.basis,
        finder=None if current is None else finder_view(project, current),
        has_text_search=project.has_text_search,
        can_upload=can_upload,
        notes=project_notes(project),
        jobs=tuple(jobs),
    )


def finder_view(project: Project, finder: Finder) -> FinderView:
    """Return a finder as it is shown."""
    current = project.finders.current
    return FinderView(
        key=finder.key,
        name=finder.name,
        made_at=finder.made_at,
        num_ratings=finder.num_ratings,
        num_classes=finder.num_classes,
        is_current=current is not None and current.key == finder.key,
        has_curves=project.curves_of(finder.key) is not None,
    )


def project_notes(project: Project) -> tuple[NoteView, ...]:
    """Return what a person should know."""
    notes, videos = list[NoteView](), project.videos
    if project.problem:
        notes.append(NoteView(words=f"The data were not read again: {project.problem}"))
    current = project.finders.current
    if current is not None and not current.is_there:
        words = f"The run {current.name!r} is not at {current.path} any more."
        notes.append(NoteView(words=words))
    without = videos_without_curves(project)
    if without:
        notes.append(NoteView(words=f"{_videos(without)} no curves yet.", lacks_curves=True))
    elif without is None and current is not None:
        words = "The curves of the current finder are not computed yet."
        notes.append(NoteView(words=words, lacks_curves=True))
    failed = sum(state == "error" for state in videos.states)
    if failed:
        notes.append(NoteView(words=f"{_videos(failed)} no features: extraction failed."))
    return tuple(notes)


def _videos(number: int) -> str:
    return "1 video has" if number == 1 else f"{number:,} videos have"
