"""GET, POST, DELETE /api/ratings: what people say of windows."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from reeltag.server.api.current import CurrentProject
from reeltag.server.project.new_ratings import NewRating
from reeltag.server.project.ratings import ExportFormat
from reeltag.server.views.ratings import Answer, DisagreementView, Origin, RatingView

router = APIRouter(prefix="/api/ratings", tags=["ratings"])
_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_MOST_KEY = 2**62


class RatingBody(BaseModel):
    """A rating as it is posted."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    video: str = Field(min_length=1, max_length=2000)
    start_s: float = Field(ge=0, le=1e9)
    end_s: float | None = Field(default=None, gt=0, le=1e9)
    class_name: str = Field(min_length=1, max_length=500)
    answer: Answer
    value: float | None = Field(default=None, ge=0, le=1)
    origin: Origin = "timeline"
    chance: float | None = Field(default=None, gt=0, le=1)
    who: str = Field(default="", max_length=200)
    client_id: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9-]{16,64}$",
        description="a name of its own, such as a UUID: sent again under it, it is stored once",
    )


@router.get("")
def get_ratings(
    project: CurrentProject,
    video: Annotated[str | None, Query(max_length=2000, description="id; none: all")] = None,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
) -> list[RatingView]:
    """Return the ratings that count, of a video or of all."""
    return project.ratings.views(video, offset=offset, limit=limit)


@router.post("", status_code=201)
def post_rating(project: CurrentProject, body: RatingBody) -> RatingView:
    """Store a rating: it is on the disk when this is answered.

    It replaces the one of the same window, class and person, which stays in the history. Where the
    answer was lost, it may be sent again under the same `client_id`: it is stored once.
    """
    return project.ratings.add(NewRating(**body.model_dump()))


@router.get("/export", response_class=Response)
def get_export(project: CurrentProject, format: ExportFormat = "csv") -> Response:
    """Return the ratings that count as a file, which `reeltag solve --ratings` reads."""
    headers = {"Content-Disposition": f'attachment; filename="ratings.{format}"'}
    content = project.ratings.export(format)
    return Response(content, media_type=_MEDIA[format], headers=headers)


@router.get("/disagreements")
def get_disagreements(project: CurrentProject) -> list[DisagreementView]:
    """Return the windows and classes that people rated differently."""
    return project.ratings.disagreements()


@router.delete("/{key}")
def delete_rating(
    project: CurrentProject, key: Annotated[int, Path(ge=-_MOST_KEY, le=_MOST_KEY)]
) -> RatingView | None:
    """Take a rating back, and return the one that counts now; both stay in the history."""
    return project.ratings.undo(key)
