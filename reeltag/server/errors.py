"""Errors as words: JSON for programs, a page for people, never a trace.

{"error": what is wrong, "hint": the way out}
"""

import errno
import sys
import traceback
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reeltag.core.console import say
from reeltag.core.errors import (
    ConfigError,
    DataError,
    MissingPackageError,
    OutputError,
    ReeltagError,
)
from reeltag.server.project.missing import NotThereError
from reeltag.server.rendering import render, wants_page

_WORDS = {
    404: ("there is nothing here", "Look at the address, or start from the first page."),
    405: ("this address does not take such a request", ""),
}


@dataclass(frozen=True)
class ErrorBody:
    """What a program is told where a request cannot be met.

    Attributes:
        error: what is wrong, in one sentence.
        hint: the way out; "" = none is known.
    """

    error: str
    hint: str


class RequestError(ReeltagError):
    """A request that cannot be met.

    Args:
        status: of HTTP.
        what: what is wrong, in one sentence.
        hint: the way out.
    """

    def __init__(self, status: int, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status


_STATUS: dict[type[Exception], int] = {  # the first that fits
    NotThereError: 404,
    MissingPackageError: 501,
    ConfigError: 422,
    OutputError: 507,
    DataError: 422,
    ReeltagError: 422,
}


def status_of(error: ReeltagError) -> int:
    """Return the status of HTTP for an error; its own `status` where it has one."""
    own = getattr(error, "status", None)
    if isinstance(own, int):
        return own
    return next(status for kind, status in _STATUS.items() if isinstance(error, kind))


def words_of(status: int, what: str, hint: str = "") -> JSONResponse:
    """Return the response that tells a program what is wrong.

    Args:
        status: of HTTP.
        what: what is wrong.
        hint: the way out.
    """
    return JSONResponse(asdict(ErrorBody(what, hint)), status)


def add_error_handlers(app: FastAPI) -> None:
    """Let an app answer errors in words."""
    app.add_exception_handler(ReeltagError, _on_reeltag_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(OSError, _on_os_error)


def _tell(request: Request, status: int, what: str, hint: str = "") -> Response:
    if not wants_page(request):
        return words_of(status, what, hint)
    title = HTTPStatus(status).phrase
    more = {"status": status, "title": title, "what": what, "hint": hint}
    return render(request, "error.html", more, status=status)


def _on_reeltag_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReeltagError)
    what = f"{error.where}: {error.what}" if error.where else error.what
    return _tell(request, status_of(error), what, error.hint)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(of) for of in first["loc"][1:]) or "the request"
    return _tell(request, 422, f"{where}: {first['msg'][:300]}", "See /api/openapi.json.")


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what, hint = _WORDS.get(error.status_code, (str(error.detail)[:300], ""))
    response = _tell(request, error.status_code, what, hint)
    response.headers.update(error.headers or {})
    return response


def _on_os_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        hint = "Free some space, or make the folder writable; nothing was left half-written."
        return _tell(request, 507, f"cannot be written ({error.strerror})", hint)
    name = error.filename or "a file"
    return _tell(request, 500, f"{name}: cannot be read or written ({error.strerror or error})")


class ErrorsInWords:
    """Turns unforeseen errors into words; what it was is printed on stderr.

    Args:
        app: to guard.
        debug: print the trace as well.
    """

    def __init__(self, app: ASGIApp, debug: bool = False) -> None:
        self._app, self._debug = app, debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; where it fails before its response, respond in its stead."""
        has_begun = False

        async def watch(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            pass
        except Exception as error:
            if scope["type"] != "http":
                raise
            self._print(error, scope["path"])
            if not has_begun:
                what = f"this should not happen ({type(error).__name__})"
                hint = "Please report it with what is printed in the terminal of the server."
                await words_of(500, what, hint)(scope, receive, send)

    def _print(self, error: Exception, path: str) -> None:
        if self._debug:
            traceback.print_exception(error, file=sys.stderr)
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{at.filename}:{at.lineno}"
        say(f"{path!a}: this should not happen ({type(error).__name__}: {error}; {place})")
