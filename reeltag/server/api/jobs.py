"""/api/jobs: work in processes of its own, and its progress as events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from reeltag.server.events import JobEvents
from reeltag.server.jobs import Jobs
from reeltag.server.views.overview import JobView

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


def current_jobs(request: Request) -> Jobs:
    """Return the jobs of the app."""
    jobs: Jobs = request.app.state.jobs
    return jobs


CurrentJobs = Annotated[Jobs, Depends(current_jobs)]


class EventStream(StreamingResponse):
    """JobEvents without an end."""

    media_type = "text/event-stream"


@router.get("")
def get_jobs(jobs: CurrentJobs) -> list[JobView]:
    """Return the jobs, the last one first: those that run, wait, or have ended lately."""
    return jobs.all()


@router.get("/events", response_class=EventStream)
async def get_events(request: Request, jobs: CurrentJobs) -> EventStream:
    """Stream changes of jobs as server-sent events, a job as JSON each; first those that run."""
    events: JobEvents = request.app.state.events
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return EventStream(events.listen(jobs.active()), headers=headers)


@router.get("/{key}")
def get_job(jobs: CurrentJobs, key: str) -> JobView:
    """Return a job."""
    return jobs.get(key)


@router.delete("/{key}")
def cancel_job(jobs: CurrentJobs, key: str) -> JobView:
    """Stop a job; one that has ended stays as it is."""
    return jobs.cancel(key)
