"""Whether curves are missing, and the job that computes them."""

import sys

from reeltag.data.selection import column_of
from reeltag.server.jobs import Jobs
from reeltag.server.project.curves import ENCODER, CurvesMeta, curves_folder, stamps_of
from reeltag.server.project.project import Project
from reeltag.server.views.overview import JobView


def videos_without_curves(project: Project) -> int | None:
    """Return how many videos have no curves of the current finder or encoder, or old ones.

    None: there are no curves at all, and none were tried.
    """
    data, videos = project.data, project.videos
    current = project.finders.current
    key = ENCODER if current is None else current.key
    curves = project.curves_of(key)
    if curves is None:
        tried = CurvesMeta.find(curves_folder(project.folder, key)) is not None
        return 0 if tried or data.kind == "video" else None
    shards, stamps = column_of(data.table, "shard").tolist(), stamps_of(data)
    frames = column_of(data.table, "frames").tolist()
    missing = 0
    for video, row in zip(videos.ids, videos.rows.tolist(), strict=True):
        if row >= 0 and frames[row]:
            at = curves.places.get(video)
            missing += at is None or curves.stamps[at] != stamps[shards[row]]
    return missing


def curve_command(project: Project, key: str) -> list[str]:
    """Return the program that computes the curves of a finder, or of the encoder, and its options.

    Args:
        project: of the finder.
        key: of the finder, or `ENCODER`.

    Raises:
        NotThereError: there is no such finder.
    """
    source = ENCODER if key == ENCODER else project.finders.get(key).path
    out = curves_folder(project.folder, key)
    module = "reeltag.server.project.curve_job"
    return [sys.executable, "-m", module, str(project.path.absolute()), source, str(out)]


def start_curves(project: Project, jobs: Jobs, *, always: bool = False) -> JobView | None:
    """Start the job that computes what curves are missing; None = there are none.

    Args:
        project: whose current finder, or else encoder, is meant.
        jobs: of the server.
        always: also where none is missing.

    Raises:
        RequestError: too many jobs wait already.
    """
    if not always and videos_without_curves(project) == 0:
        return None
    current = project.finders.current
    key = ENCODER if current is None else current.key
    title = "Curves of the encoder's classes" if current is None else f"Curves of {current.name}"
    return jobs.start("curves", title, curve_command(project, key), result="/")
