"""GET /api/videos, /api/video: lists of videos, and one with all that its page draws."""

from typing import Annotated

from fastapi import APIRouter, Query

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.api.media import CurrentProxies, VideoId
from reeltag.server.project.video_list import ListChoice, video_list_view
from reeltag.server.project.video_page import video_view
from reeltag.server.views.videos import Sort, VideoList, VideoState, VideoView

router = APIRouter(prefix="/api", tags=["videos"])
MOST_OFFSET = 10_000_000


@router.get("/videos")
def get_videos(
    project: CurrentProject,
    search: Annotated[str, Query(max_length=200, description="part of the name")] = "",
    class_name: Annotated[
        str, Query(alias="class", max_length=500, description="among the strongest classes")
    ] = "",
    state: VideoState | None = None,
    rated: bool | None = None,
    sort: Sort = "name",
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> VideoList:
    """Return videos: searched by name, filtered, sorted."""
    choice = ListChoice(
        search=search,
        class_name=class_name,
        state=state,
        rated=rated,
        sort=sort,
        offset=offset,
        limit=limit,
    )
    return video_list_view(project, choice)


@router.get("/video")
def get_video(
    project: CurrentProject, proxies: CurrentProxies, jobs: CurrentJobs, video: VideoId
) -> VideoView:
    """Return a video with all that its page draws but curves."""
    return video_view(project, video, proxy=proxies.state(project, video, jobs.active()))
