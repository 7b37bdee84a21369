"""`reeltag serve` itself: one server for each data folder, ports, signals, and slow clients."""

import http.client
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reeltag.cli.main import run
from reeltag.core.errors import ConfigError
from reeltag.server.serving import listen, serve, serving_lock
from reeltag.server.settings import ServerSettings
from tests.processes import HANG_S, Launch, Started, wait_until


@pytest.fixture
def folder(corpus: Path, tmp_path: Path) -> Path:
    """Features as they are published: no files, no library."""
    return Path(shutil.copytree(corpus, tmp_path / "data"))


def start(launch: Launch, data: Path, **settings: object) -> tuple[Started, str]:
    """Start a server on a free port; its process and its address."""
    chosen = ServerSettings(**{"port": 0, **settings})  # type: ignore[arg-type]
    server = launch(serve, data, chosen)
    server.until(lambda: server.out.read_text().endswith("\n"))
    return server, server.out.read_text().strip()


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname, parts.port), HANG_S)) as connection:
        yield connection


def get(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=HANG_S)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


def is_served(address: str) -> bool:
    """Return whether a server gives an answer; a slow machine may be too slow for its limits."""
    with suppress(OSError, http.client.HTTPException):
        return get(address, "/api/project")[0] == 200
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_says_its_address_and_ends_quietly(
    launch: Launch, folder: Path, number: signal.Signals
) -> None:
    server, address = start(launch, folder)
    assert address.startswith("http://127.0.0.1:") and address.endswith("/")
    assert get(address, "/api/project")[0] == 200
    with connected(address) as events:  # a page that listens keeps nobody waiting
        events.sendall(b"GET /api/jobs/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in events.recv(100)
        server.signal(number).wait()
    assert server.status == 0
    assert "Traceback" not in server.err.read_text() and "rror" not in server.err.read_text()
    assert (folder / ".reeltag/serve/lock").read_text() == ""


def test_second_server_of_the_same_data_is_refused(
    launch: Launch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, address = start(launch, folder)
    assert run(["serve", str(folder), "--port", "0"]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "served already" in err and address in err and str(server.pid) in err
    server.kill()
    with serving_lock(folder / ".reeltag/serve", folder):  # a killed one holds nothing
        pass


def test_address_beyond_this_machine_has_a_token(launch: Launch, folder: Path) -> None:
    server, address = start(launch, folder, host="0.0.0.0", token="secret-token")
    url, _, token = address.partition("?token=")
    assert token == "secret-token"
    here = f"http://127.0.0.1:{urlsplit(url).port}"
    assert get(here, "/api/project")[0] == 401
    assert get(here, "/api/project", Authorization=f"Bearer {token}")[0] == 200
    assert token not in server.err.read_text()
    assert token not in (folder / ".reeltag/serve/lock").read_text()


def test_slow_request_is_closed(launch: Launch, folder: Path) -> None:
    """One that never ends its headers; for bodies see test_security.py."""
    _, address = start(launch, folder, idle_s=1)
    with connected(address) as slow:
        slow.sendall(b"GET /api/project HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert slow.recv(1000) == b""
    wait_until(lambda: is_served(address))


def test_port_in_use_names_the_next_free_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(listen(ServerSettings(port=0))) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", str(folder), "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is in use" in err and "Say --port " in err
    free = int(err.split("Say --port ")[1].split(",")[0])
    assert port < free <= port + 50


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "no address of this machine"), ("no.such.invalid", "no such")]
)
def test_host_that_is_not_here_is_refused(host: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        listen(ServerSettings(host=host, token="x"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "is not there"),
        ([".", "--port", "70000"], "port"),
        ([".", "--allow-upload", "much"], "--allow-upload much"),
        (["."], "reeltag extract"),
    ],
)
def test_what_cannot_be_served_is_reported_in_words(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["serve", *arguments]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert words in err and "Traceback" not in err and "should not happen" not in err
    assert not list(tmp_path.iterdir())  # nothing is left where there are no data
