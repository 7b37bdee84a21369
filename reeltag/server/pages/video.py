"""/video: a video, its time line, its moments and ratings."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.api.media import CurrentProxies, VideoId
from reeltag.server.api.videos import get_video
from reeltag.server.pages.frame import page

router = APIRouter(include_in_schema=False)
router.add_api_route("/video.json", get_video)


@router.get("/video")
def video_page(
    request: Request,
    project: CurrentProject,
    jobs: CurrentJobs,
    proxies: CurrentProxies,
    video: VideoId,
) -> HTMLResponse:
    """Return the page of a video; its script reads `at` and `class` from the address."""
    return page(request, "video.html", get_video(project, proxies, jobs, video))
