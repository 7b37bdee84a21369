"""Clients that are slow, broken or too many: each is closed, told why, or makes room for others."""

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from reeltag.server.connections import GuardedProtocol
from reeltag.server.security import HEADERS
from reeltag.server.settings import ServerSettings
from tests.processes import HANG_S, Launch, wait_until
from tests.server.served_process import get, is_served, start

HOST = b"Host: localhost\r\n"
POST = b"POST /api/classes HTTP/1.1\r\n" + HOST + b"X-Reeltag: 1\r\n"
EVENTS = b"GET /api/jobs/events HTTP/1.1\r\n" + HOST


@pytest.fixture
def folder(corpus: Path, tmp_path: Path) -> Path:
    """Features as they are published: no files, no library."""
    return Path(shutil.copytree(corpus, tmp_path / "data"))


@contextmanager
def connected(address: str, receive_bytes: int = 0) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with closing(socket.socket()) as connection:
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(HANG_S)
        connection.connect((parts.hostname, parts.port))
        yield connection


def received(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    found = b""
    try:
        while chunk := connection.recv(65_536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def trickle(connection: socket.socket) -> None:
    """Send byte by byte until the server has enough of it."""
    connection.settimeout(0.05)
    while True:
        try:
            connection.send(b"x")
            if not connection.recv(1000):
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return


@pytest.mark.parametrize(
    "request_head",
    [
        b"",
        b"GET /api/project HTTP/1.1\r\n" + HOST + b"X-Slow: ",
        POST + b"Content-Length: 1000000000\r\n\r\n",  # refused, and it goes on
    ],
)
def test_slow_request_is_closed_however_it_trickles(
    launch: Launch, folder: Path, request_head: bytes
) -> None:
    _, address = start(launch, folder, idle_s=1)
    with connected(address) as slow:
        slow.sendall(request_head)
        trickle(slow)
    wait_until(lambda: is_served(address))


def test_connections_that_wait_make_room_for_requests(launch: Launch, folder: Path) -> None:
    """The oldest one first, so that nobody keeps others out by saying nothing."""
    _, address = start(launch, folder, connections=3, idle_s=600)
    with ExitStack() as stack:
        waiting = [stack.enter_context(connected(address)) for _ in range(3)]
        waiting[0].sendall(b"GET / HTTP/1.1\r\n")  # not to its end
        assert get(address, "/api/project")[0] == 200
        assert received(waiting[0]) == b""
        waiting[2].sendall(b"GET /api/project HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert received(waiting[2]).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /api/project HTTP/1.1\r\n" + HOST + b"X-Slow: ",
        POST + b"Content-Length: 1000000000\r\n\r\n",
        EVENTS + b"\r\n",  # half of the places are for these
    ],
)
def test_flood_of_connections_keeps_nobody_out(served_address: str, said: bytes) -> None:
    """More than there are places for, none of which ends by itself."""
    with ExitStack() as stack:
        for _ in range(ServerSettings().connections + 100):
            connection = stack.enter_context(connected(served_address))
            with suppress(ConnectionError):
                connection.sendall(said)
        for _ in range(10):
            assert get(served_address, "/api/project")[0] == 200


def test_one_too_many_is_told_so(launch: Launch, folder: Path) -> None:
    _, address = start(launch, folder, connections=2)
    with connected(address) as listening, connected(address) as posting:
        listening.sendall(EVENTS + b"\r\n")
        assert b"200 OK" in listening.recv(1000)
        posting.sendall(POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" in posting.recv(1000)  # it is read now
        with connected(address) as third:
            third.sendall(b"GET /api/project HTTP/1.1\r\n" + HOST + b"\r\n")
            head, _, body = received(third).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503") and set(json.loads(body)) == {"error", "hint"}
        assert_has_headers(head)
    assert get(address, "/api/project")[0] == 200


BODY = bytes(2_000_000)  # more than any buffer on its way


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a large body."""
    await Response(BODY)(scope, receive, send)


@pytest.mark.parametrize("reads", [True, False])
def test_client_that_does_not_read_is_cut_off(reads: bool) -> None:
    async def answered() -> bytes:
        loop, state, found = asyncio.get_running_loop(), ServerState(), b""
        config = Config(large, lifespan="off", log_config=None, timeout_keep_alive=600)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        with closing(theirs):
            stall_s = HANG_S if reads else 0.01
            await loop.connect_accepted_socket(
                lambda: GuardedProtocol(config, state, {}, loop, most=1, stall_s=stall_s), ours
            )
            request = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
            await loop.sock_sendall(theirs, request)
            while not reads and state.connections:
                await asyncio.sleep(0.01)
            while chunk := await loop.sock_recv(theirs, 65_536):
                found += chunk
        return found.partition(b"\r\n\r\n")[2]

    body = asyncio.run(asyncio.wait_for(answered(), HANG_S))
    assert body == BODY if reads else len(body) < len(BODY)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x00\xa5" + bytes(100),  # TLS
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: b\0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 200_000,
        POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        POST
        + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_words(served_address: str, nonsense: bytes) -> None:
    with connected(served_address) as connection:
        connection.sendall(nonsense)
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") and set(json.loads(body)) == {"error", "hint"}
    assert_has_headers(head)


def test_nonsense_after_a_response_has_begun_breaks_it_off(launch: Launch, folder: Path) -> None:
    server, address = start(launch, folder)
    with connected(address) as connection:
        connection.sendall(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n")
        assert b"200 OK" in connection.recv(1000)
        connection.sendall(b"nonsense\r\n")
        received(connection)
    assert get(address, "/api/project")[0] == 200
    assert "Traceback" not in server.err.read_text()


@pytest.fixture(scope="module")
def served_address(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests that only ask it."""
    place = tmp_path_factory.mktemp("served")
    (place / "processes").mkdir()
    launch = Launch(place / "processes")
    _, address = start(launch, Path(shutil.copytree(corpus, place / "data")))
    yield address
    launch.close()


def assert_has_headers(head: bytes) -> None:
    lines = head.decode().lower().split("\r\n")
    assert not {f"{name}: {value}".lower() for name, value in HEADERS.items()} - set(lines)
    assert "connection: close" in lines
