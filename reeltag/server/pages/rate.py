"""/rate: one window after another."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.pages.frame import page
from reeltag.server.project.progress import rate_view
from reeltag.server.views.ratings import RateView

router = APIRouter(include_in_schema=False)
_FIRST = 10  # windows that come with the page
_MOST_CLASSES = 50

Classes = Annotated[
    list[Annotated[str, Field(max_length=500)]] | None,
    Query(alias="class", max_length=_MOST_CLASSES),
]


@router.get("/rate")
def rate_page(request: Request, project: CurrentProject, classes: Classes = None) -> HTMLResponse:
    """Return the page that asks about windows; the first of them are in it."""
    return page(request, "rate.html", rate_view(project, classes or (), _FIRST, "balanced"))


@router.get("/rate.json")
def rate_json(project: CurrentProject, classes: Classes = None) -> RateView:
    """Return what the page shows first."""
    return rate_view(project, classes or (), _FIRST, "balanced")
