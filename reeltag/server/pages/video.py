"""/video: a video, its time line, its moments and ratings."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.pages.frame import page
from reeltag.server.project.video_page import video_view
from reeltag.server.views.videos import VideoView

router = APIRouter(include_in_schema=False)
VideoId = Annotated[str, Query(alias="id", max_length=2000)]


@router.get("/video")
def video_page(request: Request, project: CurrentProject, video: VideoId) -> HTMLResponse:
    """Return the page of a video; its script reads `at` and `class` from the address."""
    return page(request, "video.html", video_view(project, video))


@router.get("/video.json")
def video_json(project: CurrentProject, video: VideoId) -> VideoView:
    """Return what the page shows, but curves and ratings."""
    return video_view(project, video)
