"""/search: moments of a class, of a text, or like another moment, in all videos."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from reeltag.deploy.moment_formats import FORMATS
from reeltag.server.api.current import CurrentProject
from reeltag.server.api.search import Chosen
from reeltag.server.pages.frame import page
from reeltag.server.project.search import MomentSearchChoice, search_view
from reeltag.server.views.videos import SearchView

router = APIRouter(include_in_schema=False)
_FIRST = 24  # moments that come with the page


@router.get("/search")
def search_page(request: Request, project: CurrentProject, chosen: Chosen) -> HTMLResponse:
    """Return the page of moments; without anything to search for, that of the classes."""
    is_asked = chosen.class_name or chosen.text or chosen.video
    view = search_view(project, _first(chosen)) if is_asked else None
    formats = [{"name": each.name, "what": each.what} for each in FORMATS]
    return page(request, "search.html", view, formats=formats)


@router.get("/search.json")
def search_json(project: CurrentProject, chosen: Chosen) -> SearchView:
    """Return what the page shows first."""
    return search_view(project, _first(chosen))


def _first(chosen: MomentSearchChoice) -> MomentSearchChoice:
    return replace(chosen, offset=0, limit=_FIRST)
