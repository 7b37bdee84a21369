"""GET /api/compare: two finders side by side."""

from typing import Annotated

from fastapi import APIRouter, Query

from reeltag.server.api.current import CurrentProject
from reeltag.server.project.learning import compare_view
from reeltag.server.views.learning import CompareView

router = APIRouter(prefix="/api", tags=["learning"])


@router.get("/compare")
def get_compare(
    project: CurrentProject,
    old: Annotated[str, Query(max_length=100, description="key; none: the one before")] = "",
    new: Annotated[str, Query(max_length=100, description="key; none: the current one")] = "",
    video: Annotated[str, Query(max_length=2000, description="id; none: the hardest one")] = "",
) -> CompareView:
    """Return two finders side by side on a video, and the rated windows they differ most on."""
    return compare_view(project, old, new, video)
