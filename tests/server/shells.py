"""An app without a real project: its shell, its jobs and some routes to try things on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from reeltag.core.errors import ConfigError
from reeltag.server.app import create_app
from reeltag.server.project.project import Project
from reeltag.server.rendering import render
from reeltag.server.settings import ServerSettings

HERE = "http://127.0.0.1:8765"
PROGRAM = {"X-Reeltag": "1"}  # what a program sends with each change


class NoProject:
    """A folder without data."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_closed = folder, False

    def close(self) -> None:
        self.is_closed = True


def shell(folder: Path, settings: ServerSettings | None = None) -> FastAPI:
    """Return an app with routes under /try."""
    app = create_app(NoProject(folder), settings)

    @app.get("/try")
    def get(word: str = "") -> dict[str, str]:
        return {"word": word}

    @app.post("/try")
    async def post(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/try/broken")
    def broken() -> None:
        raise KeyError("secret of the inside")

    @app.get("/try/refused")
    def refused(name: str = "x") -> None:
        raise ConfigError(f"there is no {name}", hint="Take another one.")

    @app.get("/try/full")
    def full() -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    @app.get("/try/page")
    def page(request: Request, name: str) -> object:
        return render(request, "error.html", {"title": name, "what": name, "hint": ""})

    return app


@contextmanager
def client_of(app: FastAPI, base_url: str = HERE) -> Iterator[TestClient]:
    """Yield a client of an app that runs; it follows no redirects and raises no errors."""
    with TestClient(
        app, base_url=base_url, raise_server_exceptions=False, follow_redirects=False
    ) as client:
        yield client


@contextmanager
def program_of(project: Project) -> Iterator[TestClient]:
    """Yield a program that talks with the app of a project."""
    with TestClient(create_app(project), base_url=HERE, headers=PROGRAM) as client:
        yield client
