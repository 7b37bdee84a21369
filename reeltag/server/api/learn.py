"""GET, POST /api/learn, POST /api/finders/{key}/use: learning from what was rated."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.project.learning import learn_view, start_learning, use_finder
from reeltag.server.views.learning import LearnView
from reeltag.server.views.overview import FinderView, JobView

router = APIRouter(prefix="/api", tags=["learning"])


class LearnBody(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(extra="forbid")


@router.get("/learn")
def get_learn(project: CurrentProject, jobs: CurrentJobs) -> LearnView:
    """Return what can be learned from, what was learned, and whether it was worth it."""
    return learn_view(project, jobs)


@router.post("/learn", status_code=202)
def post_learn(
    project: CurrentProject, jobs: CurrentJobs, body: LearnBody | None = None
) -> JobView:
    """Learn from all ratings and labels: when the job is done, its finder is the current one."""
    return start_learning(project, jobs)


@router.post("/finders/{key}/use")
def post_use(
    project: CurrentProject, key: Annotated[str, Path(min_length=1, max_length=100)]
) -> FinderView:
    """Make a finder the current one again."""
    return use_finder(project, key)
