"""HTTP over connections of which nothing is expected: slow, broken and hostile ones are closed.

- Who does not come to the end of a request within `idle_s`, or goes on sending a body that was
  answered already, is cut off, however the bytes trickle.
- Who does not read what was asked for is cut off where nothing was read for `stall_s`.
- Where all places are taken, the connection that has waited for a request longest makes room: only
  requests that are answered now can keep others out.
- What is no HTTP is refused in words, with the headers of every response.
"""

import asyncio
import json
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from reeltag.server.errors import words_of
from reeltag.server.security import HEADERS

_CLOSE = {"connection": "close"}


class GuardedProtocol(H11Protocol):
    """A connection of the server.

    Args:
        config: of uvicorn; its `timeout_keep_alive` is the patience in seconds.
        server_state: the connections that there are.
        app_state: for the app.
        _loop: that the connection is served in; None: the one that runs.
        most: connections at a time; one more is told that it is too many.
        stall_s: seconds in which a client must read some of what was asked for.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        most: int,
        stall_s: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._most, self._stall_s, self._since = most, stall_s, self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes, when the deadline was set

    @property
    def waits(self) -> bool:
        """Whether it waits for a request, and none is answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, which another one may have to leave."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            ours = [of for of in self.connections if isinstance(of, GuardedProtocol)]
            others = [of for of in ours if of.waits and of is not self]
            if others:
                min(others, key=lambda of: of._since)._cut_off()
            else:
                self.app = _too_many
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, which may complete a request."""
        super().data_received(data)
        self._update_deadline()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have come already."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._update_deadline()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._update_deadline()

    def resume_writing(self) -> None:
        """Go on writing: the client has read."""
        super().resume_writing()
        self._clear_deadline()
        self._update_deadline()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where a response has begun it breaks off."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._cut_off()
            return
        words = {"error": "This is no request of HTTP/1.1.", "hint": ""}
        body = json.dumps(words).encode()
        length = {"content-type": "application/json", "content-length": str(len(body))}
        named = {**length, **HEADERS, **_CLOSE}
        headers = [(name.encode(), value.encode()) for name, value in named.items()]
        start = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (start, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _update_deadline(self) -> None:
        """Set the deadline where something is waited for, or clear it where that has come."""
        if not (self.waits or self.flow.write_paused):
            self._clear_deadline()
        elif self._deadline is None:
            self._unsent = self.transport.get_write_buffer_size()
            seconds = self.timeout_keep_alive if self.waits else self._stall_s
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Cut the client off, unless it has read some of what is there for it."""
        self._deadline = None
        if 0 < self.transport.get_write_buffer_size() < self._unsent:
            self._update_deadline()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        self.transport.abort()  # close() would wait until all is read


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that all places are taken."""
    response = words_of(503, "Too many requests are answered at once.", "Try again.")
    response.headers.update({**HEADERS, **_CLOSE, "retry-after": "1"})
    await response(scope, receive, send)
