"""/: the videos of the project, searched by name, filtered, sorted."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.pages.frame import page
from reeltag.server.project.video_list import ListChoice, video_list_view
from reeltag.server.views.videos import Sort, VideoList, VideoState

router = APIRouter(include_in_schema=False)
_FIRST = 60  # videos that come with the page


@dataclass(frozen=True)
class _Fields:
    """The fields of the form as its address has them; "" = any."""

    search: Annotated[str, Query(max_length=200)] = ""
    class_name: Annotated[str, Query(alias="class", max_length=500)] = ""
    state: VideoState | Literal[""] = ""
    rated: Literal["", "true", "false"] = ""
    sort: Sort = "name"

    def choice(self) -> ListChoice:
        """Return the choice of videos."""
        return ListChoice(
            search=self.search,
            class_name=self.class_name,
            state=self.state or None,
            rated=None if not self.rated else self.rated == "true",
            sort=self.sort,
            limit=_FIRST,
        )


Fields = Annotated[_Fields, Depends()]


@router.get("/")
def library_page(request: Request, project: CurrentProject, fields: Fields) -> HTMLResponse:
    """Return the page of all videos; the first of them are in it."""
    view = video_list_view(project, fields.choice())
    chosen = {**asdict(fields), "class": fields.class_name}
    return page(request, "library.html", view, chosen=chosen)


@router.get("/library.json")
def library_json(project: CurrentProject, fields: Fields) -> VideoList:
    """Return what the page shows first."""
    return video_list_view(project, fields.choice())
