"""What a route is given: the project that the app serves."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from reeltag.server.project.project import Project


def current_project(request: Request) -> Project:
    """Return the project of the app, which `create_app` puts into its state."""
    project: Project = request.app.state.project
    return project


CurrentProject: TypeAlias = Annotated[Project, Depends(current_project)]
