"""/compare: two finders side by side, on a video and on the windows they differ most on."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.compare import get_compare
from reeltag.server.api.current import CurrentProject
from reeltag.server.pages.frame import page
from reeltag.server.project.learning import compare_view
from reeltag.server.project.overview import finder_view

router = APIRouter(include_in_schema=False)
router.add_api_route("/compare.json", get_compare)

Key = Annotated[str, Query(max_length=100)]


@router.get("/compare")
def compare_page(
    request: Request,
    project: CurrentProject,
    old: Key = "",
    new: Key = "",
    video: Annotated[str, Query(max_length=2000)] = "",
) -> HTMLResponse:
    """Return the page of two finders; where there are no two, it says what to do."""
    finders = [finder_view(project, finder) for finder in project.finders.history]
    if not (old or new) and len(finders) > 1 and finders[-1].is_current:  # none is before it
        old, new = finders[1].key, finders[0].key
    is_possible = len(finders) > 1 or (old and new)
    view = compare_view(project, old, new, video) if is_possible else None
    return page(request, "compare.html", view, finders=finders)
