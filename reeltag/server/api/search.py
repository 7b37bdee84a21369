"""/api/search: moments of all videos, best first, and as files for other tools."""

from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from reeltag.server.api.current import CurrentProject
from reeltag.server.project.export import exported
from reeltag.server.project.search import MomentSearchChoice, found_moments, search_view
from reeltag.server.views.videos import SearchView

router = APIRouter(prefix="/api/search", tags=["search"])
_MOST_OFFSET = 100_000_000


def chosen_search(
    class_name: Annotated[str, Query(alias="class", max_length=500)] = "",
    text: Annotated[str, Query(max_length=500, description="what is meant, in words")] = "",
    video: Annotated[str, Query(max_length=2000, description="id: moments like one of it")] = "",
    at: Annotated[float, Query(ge=0, le=1e7, description="second of that moment")] = 0.0,
    threshold: Annotated[float | None, Query(gt=0, lt=1)] = None,
    search: Annotated[str, Query(max_length=200, description="part of videos' names")] = "",
) -> MomentSearchChoice:
    """Return what is searched for."""
    return MomentSearchChoice(
        class_name=class_name, text=text, video=video, at_s=at, threshold=threshold, search=search
    )


Chosen = Annotated[MomentSearchChoice, Depends(chosen_search)]


@router.get("")
def get_moments(
    project: CurrentProject,
    chosen: Chosen,
    offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 24,
) -> SearchView:
    """Return moments of a class, of a text, or like another moment, best first."""
    page = {**vars(chosen), "offset": offset, "limit": limit}
    return search_view(project, MomentSearchChoice(**page))


@router.get("/export", response_class=FileResponse)
def export_moments(
    project: CurrentProject,
    chosen: Chosen,
    format: Annotated[str, Query(max_length=50, description="as reeltag moments --export")] = "csv",
) -> FileResponse:
    """Return all moments of a class at a threshold as a file, or a zip of several."""
    found = found_moments(project, chosen)
    with ExitStack() as stack:
        path = stack.enter_context(exported(project, found, format))
        kept = stack.pop_all()  # until the file is sent
    return FileResponse(path, filename=path.name, background=BackgroundTask(kept.close))
