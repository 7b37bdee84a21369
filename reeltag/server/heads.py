"""HEAD: every address that can be read answers it, with the status and headers of GET alone."""

from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Lets an app answer HEAD as it answers GET, without the body.

    What would send its body in several parts, or without end, ends before the first one.

    Args:
        app: that knows GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; of what it responds to HEAD, send status and headers."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def give(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                await send({"type": "http.response.body", "body": b""})
                raise ClientDisconnect  # as if it had gone: there is nothing more to read

        with suppress(ClientDisconnect):
            await self._app({**scope, "method": "GET"}, receive, give)
