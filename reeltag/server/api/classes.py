"""GET, POST /api/classes: what is known of each class, and new ones by name."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from reeltag.server.api.current import CurrentProject
from reeltag.server.project.classes import add_class
from reeltag.server.project.progress import class_progress
from reeltag.server.views.ratings import ClassProgress

router = APIRouter(prefix="/api/classes", tags=["classes"])


class ClassBody(BaseModel):
    """A new class."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=500)


@router.get("")
def get_classes(project: CurrentProject) -> list[ClassProgress]:
    """Return for each class its labels and ratings, how good its moments are, and what to do."""
    return class_progress(project)


@router.post("", status_code=201)
def post_class(project: CurrentProject, body: ClassBody) -> ClassProgress:
    """Add a class to those of the data."""
    name = add_class(project, body.name)
    return class_progress(project, (name,))[0]
