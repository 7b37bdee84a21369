"""What keeps other sites, other machines and other people out: all of it, to be read at once.

A server on one's own machine can be reached by every page that the browser shows. Therefore:

1. Target: an absolute path without control characters, backslashes or "..".
2. Host: one of the names of this machine; a name that another site lets point here is refused.
3. Origin: what changes something (POST, DELETE, ...) comes from our own pages, which the browser
   vouches for by the header Origin, or from a program that says so (`X-Reeltag: 1`, which no form
   of another site can send). Other sites cannot embed what is here either (Sec-Fetch-Site).
4. Token: where other machines reach the server, by ?token= once, then by a cookie that scripts
   cannot read and other sites do not send; programs send `Authorization: Bearer TOKEN`.
5. Limits: bytes of a body, seconds until it has come and the response begins; one range of a
   medium at a time. For those of connections see connections.py.
6. Headers of each response: no script or style but from our files, no frames, no guessing of
   types, no referrer; `require-trusted-types-for`: scripts cannot write HTML from strings.

Paths of requests never name files of DATA: videos are asked for by id, see api/media.py.
"""

import asyncio
import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reeltag.server.settings import ServerSettings

UPLOAD = "/api/upload"  # the only path that takes large bodies
PROGRAM_HEADER = "x-reeltag"
_UPLOAD_BYTES = 65_536  # of an upload, that must come within the time of a request
_SAFE = ("GET", "HEAD")
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)
_DIGITS = 18  # of a length in bytes
_RANGE = re.compile(
    r"bytes=((?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?|-0*[1-9][0-9]{0,17})", re.IGNORECASE
)
_BAD_PATH = re.compile(r"[\x00-\x1f\x7f\\]|(^|/)\.\.?(/|$)")
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_DEFAULTS = {"cache-control": "private, no-cache"}  # unless a response knows better


class Security:
    """Lets requests pass to an app that may; refuses the others in words.

    Args:
        app: to guard.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then call the app with limits; headers are added to its response."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        sending, scope = _with_headers(send), _with_one_range(scope)
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is None:
            await self._call(scope, receive, sending)
        else:
            await refusal(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the response to a request that may not pass; None = it may."""
        words = _wrong_target(scope) or self._wrong_host(headers) or _wrong_site(scope, headers)
        if words is not None:
            return _refuse(headers, *words)
        if "transfer-encoding" in headers and "content-length" in headers:  # a proxy may differ
            return _refuse(headers, 400, "A request has one length.", {"connection": "close"})
        limit = self._body_limit(scope)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _DIGITS or int(length) > limit:
            return _refuse(headers, 413, _too_large(limit))
        return self._without_token(scope, headers) if self._settings.token else None

    def _wrong_host(self, headers: Headers) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            return 400, "A request needs one header Host."
        if not self._settings.has_name(found["name"].strip("[]")):
            return 421, (
                "This server is not called so. Use the address that it printed, or start it with "
                "--host-name and this name."
            )
        return None

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what to do with a request without the token; None = it has it."""
        cookie = f"reeltag-{(scope.get('server') or ('', 0))[1]}"  # ports share their cookies
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        cookies = cookie_parser(headers.get("cookie", ""))
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        if cookie in cookies and self._is_token(cookies[cookie]):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token", "")
        if scope["method"] != "GET" or not self._is_token(given):
            return _refuse(
                headers, 401, "This server needs its token: open the address that it printed."
            )
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        here = "/" + quote(scope["path"].lstrip("/"))  # "//other.site" would leave this one
        # a redirect would be made without the cookie where the address was opened from elsewhere
        refresh = {"refresh": f"0; url={here}?{rest}" if rest else f"0; url={here}"}
        response = PlainTextResponse("Welcome.\n", headers=refresh)
        response.set_cookie(cookie, self._settings.token, httponly=True, samesite="strict")
        return response

    def _is_token(self, given: str) -> bool:
        """Return whether this is the token, in a time that says nothing about it."""
        known, other = (
            hashlib.sha256(of.encode("utf-8", "surrogateescape")).digest()
            for of in (self._settings.token, given)
        )
        return hmac.compare_digest(known, other)

    def _body_limit(self, scope: Scope) -> int:
        if scope["path"] == UPLOAD:
            return self._settings.upload_bytes or self._settings.body_bytes
        return self._settings.body_bytes

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app with limits of bytes and seconds."""
        limit, seconds = self._body_limit(scope), self._settings.request_s
        loop, taken, expected, has_begun = asyncio.get_running_loop(), 0, _UPLOAD_BYTES, False

        async def take() -> Message:
            nonlocal taken, expected
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, _too_large(limit), {"connection": "close"})
            if scope["path"] == UPLOAD and not has_begun and taken >= expected:
                expected = taken + _UPLOAD_BYTES  # a long one, that comes
                clock.reschedule(loop.time() + seconds)
            return message

        async def give(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                clock.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(seconds) as clock:
                await self._app(scope, take, give)
        except TimeoutError:
            if has_begun or not clock.expired():
                raise
            words = f"This took longer than {seconds:g} s; try again."
            response = _refuse(Headers(scope=scope), 503, words, {"connection": "close"})
            await response(scope, receive, send)


def _with_one_range(scope: Scope) -> Scope:
    """Return a request without a header Range that is not heeded: RFC 9110, 14.2, allows that."""
    asked = [value.decode("latin-1") for name, value in scope["headers"] if name == b"range"]
    found = _RANGE.fullmatch(asked[0]) if len(asked) == 1 else None
    if found is not None and scope["path"].startswith("/media/"):
        first, last = found["first"], found["last"]
        if not first or not last or int(first) <= int(last):
            return scope
    return {**scope, "headers": [of for of in scope["headers"] if of[0] != b"range"]}


def _wrong_target(scope: Scope) -> tuple[int, str] | None:
    path, query = scope["path"], unquote_to_bytes(scope["query_string"])
    if not path.startswith("/") or _BAD_PATH.search(path) or b"\0" in query:
        return 400, "This is no address of this server."
    return None


def _wrong_site(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """Return what is wrong where another site is behind a request."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_safe = scope["method"] in _SAFE
    if origin is not None and not _is_same(origin, headers["host"]):
        return 403, "Other sites may not ask this server."
    if site in ("cross-site", "same-site"):  # another port of this machine is "same-site"
        mode, into = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        if not is_safe or (mode, into) != ("navigate", "document"):  # but a link is fine
            return 403, "Other sites may not ask this server."
    if not is_safe and origin is None and headers.get(PROGRAM_HEADER) != "1":
        return 403, "A program that changes something must send the header X-Reeltag: 1."
    return None


def _is_same(origin: str, host: str) -> bool:
    """Return whether an Origin is the server that Host names; its scheme a proxy may change."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _refuse(
    headers: Headers, status: int, words: str, more: dict[str, str] | None = None
) -> Response:
    if "text/html" in headers.get("accept", ""):
        return PlainTextResponse(f"{words}\n", status, more)
    return JSONResponse({"error": words, "hint": ""}, status, more)


def _too_large(limit: int) -> str:
    return f"This is larger than the {limit:,} bytes that are taken."


def _with_headers(send: Send) -> Send:
    """Return a `send` that adds our headers to a response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(HEADERS)
            for name, value in _DEFAULTS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        await send(message)

    return sending
