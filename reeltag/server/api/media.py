"""/media: the files of videos, their pictures, and playable copies; by id, never by path."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.played_file import find_played_file
from reeltag.server.project.previews import previews_of
from reeltag.server.project.project import Project
from reeltag.server.project.proxies import ProxyStore, title_of
from reeltag.server.views.overview import JobView

router = APIRouter(tags=["media"])
_PICTURE = "image/jpeg"
_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _BYTES,
    206: {"description": "Part of it, by the header Range", **_BYTES},
    304: {"description": "It is as known"},
    404: {"description": "There is no such video, or it has none"},
    416: {"description": "There is no such part"},
}


def current_proxies(request: Request) -> ProxyStore:
    """Return the playable copies of the app."""
    proxies: ProxyStore = request.app.state.proxies
    return proxies


CurrentProxies: TypeAlias = Annotated[ProxyStore, Depends(current_proxies)]
VideoId: TypeAlias = Annotated[str, Query(alias="id", max_length=2000)]


@router.get("/media/video", response_class=Response, responses=_RESPONSES)
def get_video_file(request: Request, project: CurrentProject, video: VideoId) -> Response:
    """Return the file of a video, or a part of it."""
    file = find_played_file(project, video)
    return _send(
        request, FileResponse(file.path, stat_result=file.status, media_type=file.media_type)
    )


@router.get("/media/proxy", response_class=Response, responses=_RESPONSES)
def get_proxy(
    request: Request, project: CurrentProject, proxies: CurrentProxies, video: VideoId
) -> Response:
    """Return the playable copy of a video, or a part of it."""
    path = proxies.find(find_played_file(project, video))
    if path is None:
        raise NotThereError(f"{video!r} has no playable copy", hint="POST /api/proxy makes one.")
    return _send_path(request, path, "video/mp4")


@router.get("/media/poster", response_class=Response, responses=_RESPONSES)
def get_poster(request: Request, project: CurrentProject, video: VideoId) -> Response:
    """Return a picture of a video, JPEG."""
    return _send_preview(request, project, video, previews_of(project.path, video).poster_path)


@router.get("/media/sprite", response_class=Response, responses=_RESPONSES)
def get_sprite(request: Request, project: CurrentProject, video: VideoId) -> Response:
    """Return the thumbnails of a video side by side, JPEG; see `SpriteView`."""
    return _send_preview(request, project, video, previews_of(project.path, video).sprite_path)


@router.post("/api/proxy", status_code=202)
def make_proxy(
    project: CurrentProject, proxies: CurrentProxies, jobs: CurrentJobs, video: VideoId
) -> JobView:
    """Make a copy of a video that browsers play, where they do not play its file."""
    file = find_played_file(project, video)
    return jobs.start(
        "proxy", title_of(file), proxies.command(file), on_done=proxies.trimming(file)
    )


def _send_preview(request: Request, project: Project, video: str, path: Path | None) -> Response:
    project.videos.place(video)
    if path is None or not path.is_file():
        raise NotThereError(f"{video!r} has no such picture")
    return _send_path(request, path, _PICTURE)


def _send_path(request: Request, path: Path, media_type: str) -> Response:
    return _send(request, FileResponse(path, stat_result=path.stat(), media_type=media_type))


def _send(request: Request, response: FileResponse) -> Response:
    """Return a response, or that it is as the client knows it; security.py heeds one range alone.

    Args:
        request: that asks for a file.
        response: with the whole file.

    Raises:
        HTTPException: the part that is asked for begins after its end.
    """
    asked, etag = request.headers, response.headers["etag"]
    known = [of.strip() for of in asked.get("if-none-match", "").split(",")]
    if etag in known:
        return Response(status_code=304, headers={"etag": etag})
    first = asked.get("range", "").partition("=")[2].partition("-")[0]
    is_same = asked.get("if-range", etag) in (etag, response.headers["last-modified"])
    size = int(response.headers["content-length"])
    if first and is_same and int(first) >= size:
        raise HTTPException(416, "There is no such part.", {"content-range": f"bytes */{size}"})
    return response
