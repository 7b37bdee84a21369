"""GET /api/project: what every page needs."""

from fastapi import APIRouter, Request

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.project.overview import project_view
from reeltag.server.views.overview import ProjectView

router = APIRouter(prefix="/api", tags=["project"])


@router.get("/project")
def get_project(request: Request, project: CurrentProject, jobs: CurrentJobs) -> ProjectView:
    """Return what every page needs: name, classes, current finder, notes, jobs."""
    can_upload = request.app.state.settings.upload_bytes > 0
    return project_view(project, jobs=jobs.active(), can_upload=can_upload)
