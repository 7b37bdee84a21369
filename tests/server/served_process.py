"""`reeltag serve` in a process of its own, and plain requests to it."""

import http.client
import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reeltag.server.serving import serve
from reeltag.server.settings import ServerSettings
from tests.processes import HANG_S, Launch, Started


def start(launch: Launch, data: Path, **settings: object) -> tuple[Started, str]:
    """Start a server on a free port; its process and its address."""
    chosen = ServerSettings(**{"port": 0, **settings})  # type: ignore[arg-type]
    server = launch(serve, data, chosen)
    server.until(lambda: server.out.read_text().endswith("\n"))
    return server, server.out.read_text().strip()


def get(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    """Return status and body of what a server answers."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=HANG_S)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


def post(address: str, path: str) -> int:
    """Return the status of a change without a body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=HANG_S)
    with closing(connection):
        connection.request("POST", path, headers={"X-Reeltag": "1"})
        return connection.getresponse().status


def jobs(address: str) -> list[dict[str, Any]]:
    """Return the jobs of a server."""
    found: list[dict[str, Any]] = json.loads(get(address, "/api/jobs")[1])
    return found


def is_served(address: str) -> bool:
    """Return whether a server gives an answer; a slow machine may be too slow for its limits."""
    with suppress(OSError, http.client.HTTPException):
        return get(address, "/api/project")[0] == 200
    return False
