"""GET /api/rate: windows to rate next."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from reeltag.active.policies import PolicyName
from reeltag.server.api.current import CurrentProject
from reeltag.server.project.progress import rate_view
from reeltag.server.views.ratings import RateView

router = APIRouter(prefix="/api", tags=["ratings"])
_MOST_CLASSES = 50


@router.get("/rate")
def get_rate(
    project: CurrentProject,
    classes: Annotated[
        list[Annotated[str, Field(max_length=500)]] | None,
        Query(alias="class", max_length=_MOST_CLASSES, description="none: the least rated"),
    ] = None,
    count: Annotated[int, Query(ge=0, le=100)] = 10,
    policy: PolicyName = "balanced",
) -> RateView:
    """Return windows to rate next, and how far one has come.

    A window that was returned is not returned again before all others of its class were. Its chance
    is to be given back with its rating.
    """
    return rate_view(project, classes or (), count, policy)
