"""`reeltag serve` itself: one server for each data folder, ports, signals, and how it ends."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reeltag.cli.main import run
from reeltag.core.errors import ConfigError
from reeltag.server.serving import listen, serve, serving_lock
from reeltag.server.settings import ServerSettings
from tests.processes import HANG_S, Launch
from tests.server.served_process import get, start


@pytest.fixture
def folder(corpus: Path, tmp_path: Path) -> Path:
    """Features as they are published: no files, no library."""
    return Path(shutil.copytree(corpus, tmp_path / "data"))


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname, parts.port), HANG_S)) as connection:
        yield connection


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_server_says_its_address_and_why_it_has_ended(
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
    err = server.err.read_text()
    assert err.endswith(f"the server has ended, by {number.name}.\n")
    assert "Traceback" not in err and "rror" not in err
    assert not (folder / ".reeltag/serve/lock").exists()


def _without_a_terminal(data: Path, settings: ServerSettings) -> None:
    """Serve as by nohup, with stdout and stderr that nobody reads any more."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    read, write = os.pipe()
    os.close(read)
    for number in (1, 2):
        os.dup2(write, number)
    serve(data, settings)


def test_server_goes_on_where_nobody_reads_its_words(launch: Launch, folder: Path) -> None:
    server = launch(_without_a_terminal, folder, ServerSettings(port=0))
    lock = folder / ".reeltag/serve/lock"
    server.until(lambda: lock.is_file() and "http" in lock.read_text())
    address = json.loads(lock.read_text())["note"].removeprefix("at ")
    server.signal(signal.SIGHUP)
    for _ in range(2):
        assert get(address, "/api/project")[0] == 200
    assert server.signal(signal.SIGTERM).wait().status == 0


def test_server_that_ends_of_itself_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    assert run(["serve", str(folder), "--port", "0"]) == 2
    assert "has ended of itself" in capsys.readouterr().err

    def fail(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("uvicorn.Server.run", fail)
    assert run(["serve", str(folder), "--port", "0"]) == 2
    assert "could not start" in capsys.readouterr().err


def test_second_server_of_the_same_data_is_refused(
    launch: Launch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, address = start(launch, folder)
    assert run(["serve", str(folder), "--port", "0"]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert f"is in use by process {server.pid} on " in err and f", at {address}" in err
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
