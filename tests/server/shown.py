"""A server of a data folder that has features of its own and a library of other films."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from reeltag.library.database.library import Library
from reeltag.library.media.finding import find_media
from reeltag.library.media.media_info import probe
from reeltag.server.app import create_app
from reeltag.server.project.project import Project
from reeltag.server.settings import ServerSettings
from tests.server.shells import client_of

if TYPE_CHECKING:
    from httpx2 import Response


@dataclass(frozen=True)
class Shown:
    """A server of a data folder, and the folder of its films."""

    client: TestClient
    project: Project
    films: Path

    def get(self, path: str, video: str, **headers: str) -> "Response":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, params={"id": video}, headers=named)

    def proxy_state(self, video: str) -> str:
        return str(self.get("/api/video", video).json()["proxy"])


@contextmanager
def showing(
    corpus: Path, tiny_films: Path, place: Path, settings: ServerSettings | None = None
) -> Iterator[Shown]:
    """Serve copies of a corpus and of films, made below `place`."""
    data = Path(shutil.copytree(corpus, place / "data"))
    films = Path(shutil.copytree(tiny_films, place / "films"))
    with Library.open(data, create=True) as library:
        library.sync(find_media([films]))
        for row in library.videos():
            library.describe(row, probe(row.path))
    project = Project.open(data)
    with client_of(create_app(project, settings)) as client:
        yield Shown(client, project, films)
