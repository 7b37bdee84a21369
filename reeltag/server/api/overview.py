"""GET /api/project: what every page needs."""

from fastapi import APIRouter

from reeltag.server.api.current import CurrentProject
from reeltag.server.project.overview import project_view
from reeltag.server.views.overview import ProjectView

router = APIRouter(prefix="/api", tags=["project"])


@router.get("/project")
def get_project(project: CurrentProject) -> ProjectView:
    """Return what every page needs: name, classes, current finder, notes, jobs."""
    return project_view(project)
