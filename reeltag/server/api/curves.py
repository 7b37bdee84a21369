"""/api/curves: the curves of a video, and the job that computes those of all videos."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.api.responses import json_response
from reeltag.server.project.curve_views import curves_view
from reeltag.server.project.curving import start_curves
from reeltag.server.views.overview import JobView
from reeltag.server.views.videos import CurvesView

router = APIRouter(prefix="/api", tags=["curves"])


@router.get("/curves", response_model=CurvesView)
def get_curves(
    project: CurrentProject,
    video: Annotated[str, Query(alias="id", max_length=2000)],
    classes: Annotated[
        list[str], Query(alias="class", max_length=5000, description="names; none = the strongest")
    ] = [],  # noqa: B006 (FastAPI copies it)
    top: Annotated[int, Query(ge=1, le=5000)] = 8,
    finder: Annotated[str, Query(max_length=100, description="key; none = the current one")] = "",
) -> Response:
    """Return the curves of some classes over a video, and the moments in them."""
    return json_response(curves_view(project, video, classes, top=top, finder=finder))


@router.post("/curves", status_code=202)
def compute_curves(project: CurrentProject, jobs: CurrentJobs) -> JobView:
    """Start the job that computes the curves of all videos that have none."""
    job = start_curves(project, jobs, always=True)
    assert job is not None
    return job
