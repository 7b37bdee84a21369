"""Attacks on the server: each is refused, in words and without a trace."""

import asyncio
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from reeltag.core.errors import ConfigError
from reeltag.server.security import HEADERS, UPLOAD, Security
from reeltag.server.settings import ServerSettings, new_token
from tests.processes import HANG_S
from tests.server.shells import PROGRAM, client_of, shell

TOKEN = "tok-" + "0123456789abcdef" * 2
OUTSIDE = ServerSettings(host="0.0.0.0", token=TOKEN)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(shell(tmp_path)) as client:
        yield client


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TestClient]:
    """A server that other machines reach."""
    with client_of(shell(tmp_path, OUTSIDE), "http://192.168.1.5:8765") as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost:8765", 200),
        ("LOCALHOST.", 200),
        ("[::1]:8765", 200),
        ("localhost:9000", 200),  # forwarded by ssh
        ("evil.example:8765", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.168.1.5:8765", 421),
        ("2130706433", 421),  # 127.0.0.1 as one number
        ("localhost:8765@evil.example", 400),
        ("localhost evil.example", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_foreign_host_name_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/try", headers={"Host": host}).status_code == status


def test_two_hosts_are_refused(client: TestClient) -> None:
    hosts = [("Host", "127.0.0.1:8765"), ("Host", "evil.example")]
    assert client.get("/try", headers=hosts).status_code == 400


def test_named_host_is_accepted(tmp_path: Path) -> None:
    settings = ServerSettings(host_names=("Videos.Lab.example",))
    with client_of(shell(tmp_path, settings), "http://videos.lab.example") as client:
        assert client.get("/try").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:8765"}, 200),
        ({"Origin": "https://127.0.0.1:8765"}, 200),  # a proxy speaks TLS
        (PROGRAM, 200),
        ({}, 403),
        ({"X-Reeltag": "yes"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example", **PROGRAM}, 403),
        ({"Origin": "http://127.0.0.1:8766"}, 403),  # another server on this machine
        ({"Origin": "http://localhost:8765"}, 403),
        ({"Origin": "null", **PROGRAM}, 403),  # a sandboxed frame, a file
        ({"Origin": "http://127.0.0.1:8765@evil.example"}, 403),
        ({"Origin": "http://[127.0.0.1:8765"}, 403),
        ({"Sec-Fetch-Site": "cross-site", **PROGRAM}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8765"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8765"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_change_from_another_site_is_refused(
    client: TestClient, method: str, headers: dict[str, str], status: int
) -> None:
    response = client.request(method, "/try", headers=headers)
    allowed = 200 if method == "POST" else 405
    assert response.status_code == (allowed if status == 200 else 403)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document",
            },
            200,
        ),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "iframe",
            },
            403,
        ),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_other_sites_cannot_embed_or_read(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.get("/try", headers=headers).status_code == status


def test_preflight_of_another_site_gets_no_permission(client: TestClient) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    response = client.options("/try", headers=asked)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static/..%5csettings.py",
        "/static/%252e%252e/settings.py",
        "/static//etc/passwd",
        "/static/%00",
        "/try%00",
        "/try?word=%00",
        "/try%0d%0aSet-Cookie:%20a=b",
        "/../try",
    ],
)
def test_path_that_leaves_is_refused(client: TestClient, path: str) -> None:
    # the client tidies up what it is given; a raw request does not
    status, headers, body = asyncio.run(_raw(client.app, path))
    assert status in (400, 404)
    assert b"Traceback" not in body and b"dataclass" not in body
    assert b"set-cookie" not in headers


def test_header_cannot_be_injected(guarded: TestClient) -> None:
    path = f"/a%0d%0aX-Evil:1?token={TOKEN}"
    status, headers, _ = asyncio.run(_raw(guarded.app, path, b"192.168.1.5:8765"))
    assert status == 400 and b"x-evil" not in headers
    asked = f"/try?word=a%0d%0aX-Evil:1&token={TOKEN}"
    assert guarded.get(asked).headers["refresh"] == "0; url=/try?word=a%0D%0AX-Evil%3A1"


def test_each_response_has_the_headers(client: TestClient) -> None:
    for path in ("/try", "/nowhere", "/try/broken", "/static/nothing.js", "/api/openapi.json"):
        found = client.get(path).headers
        assert {name: found.get(name) for name in HEADERS} == HEADERS
    assert client.get("/try", headers={"Host": "evil.example"}).headers["x-frame-options"] == "DENY"


def test_policy_allows_no_inline_script(client: TestClient) -> None:
    policy = client.get("/try").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy and "http" not in policy


def test_names_are_escaped_in_pages(client: TestClient) -> None:
    name = "<script>alert(1)</script>\"'{{ 7 * 7 }}"
    html = client.get("/try/page", params={"name": name}).text
    assert "<script>alert" not in html and "&lt;script&gt;" in html and "49" not in html


def test_large_body_is_refused(tmp_path: Path) -> None:
    with client_of(shell(tmp_path, ServerSettings(body_bytes=1000))) as client:
        assert client.post("/try", content=b"x" * 1000, headers=PROGRAM).json() == {"bytes": 1000}
        response = client.post("/try", content=b"x" * 1001, headers=PROGRAM)
        assert response.status_code == 413 and "1,000 bytes" in response.json()["error"]
        # one that does not say how long it is
        response = client.post("/try", content=iter([b"x" * 600] * 2), headers=PROGRAM)
        assert response.status_code == 413 and "1,000 bytes" in response.json()["error"]


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 5000, "²"])
def test_strange_length_is_refused(client: TestClient, length: str) -> None:
    headers = [(b"content-length", length.encode("latin-1"))]
    status, _, _ = asyncio.run(_raw(client.app, "/try", method="POST", more=headers))
    assert status == 413


def test_slow_body_ends(tmp_path: Path) -> None:
    app = shell(tmp_path, ServerSettings(request_s=0.05))

    async def never() -> dict[str, Any]:
        await asyncio.sleep(HANG_S)
        raise AssertionError

    status, headers, body = asyncio.run(_raw(app, "/try", method="POST", receive=never))
    assert status == 503 and b"0.05 s" in body and (b"connection", b"close") in headers.items()


def test_upload_that_trickles_ends() -> None:
    """What comes of it within the time of a request is too little, however often it comes."""

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(str(len(await Request(scope, receive).body())))(
            scope, receive, send
        )

    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"x", "more_body": True}

    app = Security(read, ServerSettings(upload_bytes=10**9, request_s=0.05))
    status, _, _ = asyncio.run(_raw(app, UPLOAD, method="POST", receive=trickle))
    assert status == 503


def test_beyond_this_machine_a_token_is_needed() -> None:
    with pytest.raises(ConfigError, match="token"):
        ServerSettings(host="0.0.0.0")
    assert new_token() != new_token() and len(new_token()) >= 43
    assert TOKEN not in repr(OUTSIDE)


def test_without_the_token_nothing_is_there(guarded: TestClient) -> None:
    for path in ("/try", "/", "/static/style.css", "/api/openapi.json", f"/try?token={TOKEN}x"):
        response = guarded.get(path)
        assert response.status_code == 401 and "token" in response.json()["error"]
    assert guarded.post("/try", headers=PROGRAM).status_code == 401
    assert guarded.post(f"/try?token={TOKEN}", headers=PROGRAM).status_code == 401
    assert guarded.get("/try", headers=[(b"Authorization", b"Bearer \xfc")]).status_code == 401
    page = guarded.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 401 and "open the address" in page.text


def test_token_becomes_a_cookie_that_scripts_cannot_read(guarded: TestClient) -> None:
    response = guarded.get("/try", params={"word": "a&b", "token": TOKEN})
    assert response.status_code == 200 and response.text == "Welcome.\n"
    assert response.headers["refresh"] == "0; url=/try?word=a%26b"  # the token leaves the address
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert "8765=" in cookie  # another server on another port has its own
    assert guarded.get("/try").status_code == 200  # the client keeps the cookie
    evil = {"Origin": "http://evil.example"}
    assert guarded.post("/try", headers=evil).status_code == 403  # it is not enough


def test_token_in_a_header_is_for_programs(guarded: TestClient) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}", **PROGRAM}
    assert guarded.get("/try", headers=bearer).status_code == 200
    assert guarded.post("/try", headers=bearer).status_code == 200


@pytest.mark.parametrize("path", ["//evil.example", "///evil.example/%2e", "/http://evil.example"])
def test_page_after_the_token_is_here(guarded: TestClient, path: str) -> None:
    target = f"{path}?token={TOKEN}"
    status, headers, _ = asyncio.run(_raw(guarded.app, target, b"192.168.1.5:8765"))
    start, _, target = headers.get(b"refresh", b"0; url=/").decode().partition("=")
    assert status in (200, 400) and start == "0; url"
    assert target[0] == "/" and target[1:2] not in ("/", "\\")


def test_token_is_compared_in_constant_time(
    guarded: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared has one length, whatever was given, and is no beginning of the token."""
    compared = list[tuple[bytes, bytes]]()

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for given in ("", "t", TOKEN, TOKEN * 100):
        bearer = {"Authorization": f"Bearer {given}"}
        assert guarded.get("/try", headers=bearer).status_code == 401
    assert {len(of) for pair in compared for of in pair} == {32}
    assert not [pair for pair in compared if TOKEN.encode() in pair]


def test_web_sockets_are_closed(client: TestClient) -> None:
    sent = list[dict[str, Any]]()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(client.app({"type": "websocket", "path": "/try"}, None, send))  # type: ignore[arg-type]
    assert [of["type"] for of in sent] == ["websocket.close"]


def test_unforeseen_error_says_nothing_of_the_inside(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client.get("/try/broken")
    assert response.status_code == 500
    assert "secret" not in response.text and "Traceback" not in response.text
    err = capsys.readouterr().err
    assert "/try/broken" in err and "secret" in err and "Traceback" not in err


def test_errors_are_words_for_programs_and_a_page_for_people(client: TestClient) -> None:
    response = client.get("/try/refused", params={"name": "<b>"})
    assert response.status_code == 422
    assert response.json() == {"error": "there is no <b>", "hint": "Take another one."}
    page = client.get("/try/refused", params={"name": "<b>"}, headers={"Accept": "text/html"})
    assert page.status_code == 422 and page.headers["content-type"].startswith("text/html")
    assert "there is no &lt;b&gt;" in page.text and "Take another one." in page.text
    full = client.get("/try/full")
    assert full.status_code == 507 and "No space left" in full.json()["error"]
    lost = client.get("/nowhere")
    assert lost.status_code == 404 and set(lost.json()) == {"error", "hint"}


async def _raw(
    app: Any,
    target: str,
    host: bytes = b"127.0.0.1:8765",
    *,
    method: str = "GET",
    more: Any = (),
    receive: Any = None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send a request as it is written; status, headers and body of the response."""
    from urllib.parse import unquote

    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", host), (b"x-reeltag", b"1"), *more],
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 50_000),
    }
    sent = list[dict[str, Any]]()

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive or nothing, send)
    start = next(of for of in sent if of["type"] == "http.response.start")
    body = b"".join(of.get("body", b"") for of in sent)
    return start["status"], dict(start["headers"]), body
