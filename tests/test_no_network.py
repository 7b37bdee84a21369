"""Nothing is sent anywhere: commands, their workers and the server reach this machine alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import no_network
from tests.processes import program, run_program, wait_until
from tests.server.served_process import get, jobs, post

pytestmark = pytest.mark.system
HOOK = Path(no_network.__file__).parent
ROOT = HOOK.parent.parent
TRIES = """
import socket, subprocess, sys
for host in ("127.0.0.1", "::1", "localhost"):
    socket.getaddrinfo(host, 80)
try:
    socket.socket().connect(("192.0.2.1", 80))
except OSError:
    pass
if sys.argv[1:] != ["child"]:
    subprocess.run([sys.executable, __file__, "child"], check=True)
    socket.gethostbyname("a.test")
"""  # an address and a name kept for documentation: no machine has them


class Watched:
    """Runs Python in processes that reach this machine alone.

    Args:
        folder: for the list of tries.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "connections.txt"
        self.environment = {
            "PYTHONPATH": os.pathsep.join(map(str, (HOOK, ROOT))),
            "OMP_NUM_THREADS": "1",
            "REELTAG_TEST_CONNECTIONS": str(self._log),
        }

    def run(self, *arguments: str | Path) -> None:
        """Run Python to its end."""
        run_program([sys.executable, *arguments], environment=self.environment)

    @property
    def tries(self) -> list[str]:
        """What would have left this machine."""
        return self._log.read_text("utf-8").splitlines() if self._log.exists() else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands have run: a corpus, films, their data and a finder."""
    folder = tmp_path_factory.mktemp("no network")
    watched = Watched(folder)
    watched.run(HOOK / "commands.py", folder)
    assert watched.tries == []
    return folder


def test_a_try_is_noticed_in_a_child_too(tmp_path: Path) -> None:
    source = tmp_path / "tries.py"
    source.write_text(TRIES)
    watched = Watched(tmp_path)
    with pytest.raises(AssertionError, match="PermissionError: socket.gethostbyname 'a.test'"):
        watched.run(source)
    connect = "socket.connect '192.0.2.1'"
    tried = [line.partition(" by ")[0] for line in watched.tries]
    assert tried == [connect, connect, "socket.gethostbyname 'a.test'"]


def test_imports_and_commands_send_nothing(folder: Path) -> None:
    assert (folder / "features" / "page.html").is_file() and (folder / "graph.onnx").is_file()


@contextmanager
def serving(watched: Watched, data: Path, folder: Path) -> Iterator[str]:
    """Serve a data folder; yield the address."""
    out = folder / "out"
    command: list[str | Path] = [sys.executable, "-m", "reeltag", "serve", data, "--port", "0"]
    with (
        out.open("w") as file,
        program(command, environment=watched.environment, stdout=file, stderr=subprocess.DEVNULL),
    ):
        wait_until(lambda: out.read_text().endswith("\n"))
        yield out.read_text().strip()


def test_server_its_pages_and_jobs_send_nothing(folder: Path, tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with serving(watched, folder / "data", tmp_path) as address:
        assert post(address, "/api/learn") == 202
        wait_until(lambda: all(of["state"] not in ("waiting", "running") for of in jobs(address)))
        assert {of["kind"]: of["state"] for of in jobs(address)} == {
            "curves": "done",
            "learn": "done",
        }
        video = json.loads(get(address, "/api/videos")[1])["videos"][0]["id"]
        name = quote(json.loads(get(address, "/api/classes")[1])[0]["name"])
        paths = ["/", "/search", "/rate", "/learn", "/compare", f"/video?id={video}"]
        for path in (*paths, f"/search?class={name}", f"/api/search?text={name}"):
            status, page = get(address, path)
            assert status == 200, path
            assert not re.findall(rb"(?:src|href|action)=[\"']?(?:\w+:)?//", page), path
    assert watched.tries == []
