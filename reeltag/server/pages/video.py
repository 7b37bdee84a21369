"""/video: a video, its time line, its moments and ratings."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.api.media import CurrentProxies, VideoId
from reeltag.server.pages.frame import page
from reeltag.server.project.video_page import video_view
from reeltag.server.views.videos import VideoView

router = APIRouter(include_in_schema=False)


@router.get("/video.json")
def video_json(
    project: CurrentProject, jobs: CurrentJobs, proxies: CurrentProxies, video: VideoId
) -> VideoView:
    """Return what the page shows, but curves and ratings."""
    return video_view(project, video, proxy=proxies.state(project, video, jobs.active()))


@router.get("/video")
def video_page(
    request: Request,
    project: CurrentProject,
    jobs: CurrentJobs,
    proxies: CurrentProxies,
    video: VideoId,
) -> HTMLResponse:
    """Return the page of a video; its script reads `at` and `class` from the address."""
    return page(request, "video.html", video_json(project, jobs, proxies, video))
