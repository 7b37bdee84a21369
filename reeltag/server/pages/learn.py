"""/learn: what can be learned from, what was learned, and whether it was worth it."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.api.learn import get_learn
from reeltag.server.pages.frame import page
from reeltag.server.project.learning import learn_view

router = APIRouter(include_in_schema=False)
router.add_api_route("/learn.json", get_learn)


@router.get("/learn")
def learn_page(request: Request, project: CurrentProject, jobs: CurrentJobs) -> HTMLResponse:
    """Return the page of classes, finders and their comparison."""
    return page(request, "learn.html", learn_view(project, jobs))
