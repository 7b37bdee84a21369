"""What the routes of pages share: a view becomes a page in the frame that all pages have."""

from fastapi import Request
from starlette.responses import HTMLResponse

from reeltag.server.jobs import Jobs
from reeltag.server.project.overview import project_view
from reeltag.server.project.project import Project
from reeltag.server.rendering import render
from reeltag.server.settings import ServerSettings


def page(request: Request, template: str, view: object, **more: object) -> HTMLResponse:
    """Return a page: its template is given `view`, `project` (ProjectView) and what else it needs.

    Args:
        request: that asks for it.
        template: its file.
        view: dataclass that the page shows.
        **more: further names that the template knows.
    """
    state = request.app.state
    project: Project = state.project
    jobs: Jobs = state.jobs
    settings: ServerSettings = state.settings
    can_upload = settings.upload_bytes > 0
    known = project_view(project, jobs=jobs.active(), can_upload=can_upload)
    return render(request, template, {"project": known, "view": view, **more})
