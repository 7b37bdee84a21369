"""The app: its parts put together, and nothing else.

A module of `api/` or `pages/` that has a `router` is part of the app. A route finds what it needs
in `request.app.state`: `project`, `jobs`, `events`, `proxies` and `settings`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

import reeltag
from reeltag.server import api, pages
from reeltag.server.errors import ErrorBody, ErrorsInWords, add_error_handlers
from reeltag.server.events import JobEvents
from reeltag.server.heads import HeadAsGet
from reeltag.server.jobs import Jobs
from reeltag.server.project.proxies import ProxyStore
from reeltag.server.rendering import STATIC
from reeltag.server.security import Security
from reeltag.server.settings import ServerSettings


class ServedProject(Protocol):
    """What the app itself needs of a project."""

    @property
    def folder(self) -> Path:
        """Return the folder for what the server keeps."""

    def close(self) -> None:
        """Close what is open."""


def create_app(
    project: ServedProject, settings: ServerSettings | None = None, *, debug: bool = False
) -> FastAPI:
    """Return the app that serves a project; it closes the project at its end.

    Args:
        project: of a data folder.
        settings: of the server; None: the defaults.
        debug: print traces of what should not happen.
    """
    settings = settings or ServerSettings()
    events = JobEvents(most=max(1, settings.connections // 2))
    jobs = Jobs(
        project.folder / "jobs",
        at_once=settings.jobs,
        most_waiting=settings.waiting_jobs,
        on_change=events.publish,
    )
    proxies = ProxyStore(project.folder / "proxies", settings.proxy_bytes)
    proxies.clean()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        events.close()
        await run_in_threadpool(jobs.close)
        project.close()

    app = FastAPI(
        title="reeltag",
        version=reeltag.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
        lifespan=lifespan,
    )
    app.state.project, app.state.settings = project, settings
    app.state.jobs, app.state.events, app.state.proxies = jobs, events, proxies
    add_error_handlers(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ErrorsInWords, debug=debug)
    app.add_middleware(Security, settings=settings)  # the last one is the outermost
    for router in _routers():
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _routers() -> list[APIRouter]:
    """Return the routers of the modules of `api/` and `pages/`."""
    names = [
        f"{package.__name__}.{module.name}"
        for package in (api, pages)
        for module in iter_modules(package.__path__)
    ]
    found = (getattr(import_module(name), "router", None) for name in sorted(names))
    return [of for of in found if isinstance(of, APIRouter)]
