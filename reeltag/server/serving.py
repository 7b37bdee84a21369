"""Runs the server: one for each data folder, on a port that is free, until it is ended.

DATA/.reeltag/serve/lock is held by the server of DATA, and says where it is.
"""

import errno
import gc
import logging
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import cast

import uvicorn

from reeltag.core.addresses import check_is_local
from reeltag.core.console import discard, say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.locks import hold
from reeltag.core.system.allocator import return_freed_memory
from reeltag.core.system.processes import HANGUP
from reeltag.data.class_list import folder_of
from reeltag.data.indexing.locations import find_shards, writable_place
from reeltag.server.api.upload import remove_half_received
from reeltag.server.app import create_app
from reeltag.server.connections import GuardedProtocol
from reeltag.server.project.curving import start_curves
from reeltag.server.project.project import Project
from reeltag.server.settings import ServerSettings, is_loopback

_NEXT_PORTS = 50  # that are tried for one to suggest
_GRACE_S = 2  # for responses that are on their way when the server ends


def serve(
    data: Path,
    settings: ServerSettings,
    *,
    run: Path | None = None,
    open_browser: bool = False,
    debug: bool = False,
) -> None:
    """Serve a data folder until SIGINT or SIGTERM; its address is printed on stdout.

    Args:
        data: the folder.
        settings: of the server.
        run: becomes the current finder; None: that of the last time.
        open_browser: show it.
        debug: print traces of what should not happen.

    Raises:
        DataError: the data cannot be read.
        ConfigError: the port is in use, the address is none of this machine, or the run was
            trained on other features.
        OutputError: another server serves the data, or its folder cannot be written.
    """
    _check_data(data)
    return_freed_memory()
    with ExitStack() as stack:
        note = stack.enter_context(serving_lock(writable_place(data) / "serve", data))
        listener = stack.enter_context(closing(listen(settings)))
        url = settings.url(listener.getsockname()[1])
        note(url)
        remove_half_received(folder_of(data))
        project = Project.open(data, run=run)
        app = create_app(project, settings, debug=debug)
        address = f"{url}?token={settings.token}" if settings.token else url

        def on_start() -> None:
            gc.collect()
            gc.freeze()  # what is imported stays: to look through it for garbage takes 0.1 s
            try:
                print(address, flush=True)
            except BrokenPipeError:  # nobody reads it
                discard(sys.stdout)
            say(f"{data}: open this address in a browser; Ctrl-C ends the server.")
            start_curves(project, app.state.jobs)
            if open_browser:
                _open(address, settings)

        server = _Server(_uvicorn(app, settings), on_start, app.state.events.close)
        with server.ending_by_signals():
            server.run_to_its_end(listener)
        say(f"{data}: the server has ended, by {server.why}.")


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Args:
        settings: host and port.

    Raises:
        ConfigError: the port is in use or not allowed, or there is no such address here.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"--host {host}: there is no such address ({error.strerror})") from error
    family, _, _, _, address = min(found, key=lambda of: of[0] != socket.AF_INET)
    if settings.is_local and not is_loopback(str(address[0])):
        raise ConfigError(f"--host {host} is {address[0]}, which other machines reach")
    try:
        return _bound(family, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            free = _free_port(family, address)
            raise ConfigError(
                f"port {port} of {host} is in use",
                hint=f"Say --port {free}, or end what listens there." if free else "",
            ) from error
        if error.errno == errno.EACCES:
            hint = "Ports below 1024 are for the administrator; say --port 8765."
            raise ConfigError(f"port {port} is not allowed", hint=hint) from error
        raise ConfigError(
            f"--host {host} is no address of this machine ({error.strerror})",
            hint="Say --host 127.0.0.1 for this machine alone, 0.0.0.0 for all of its addresses.",
        ) from error


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    # by the protocol asyncio knows that small packets need not wait (TCP_NODELAY)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _free_port(family: int, address: tuple[object, ...]) -> int | None:
    """Return the next port that is free; None = none is near."""
    port = cast(int, address[1])
    for near in range(port + 1, min(port + _NEXT_PORTS, 65_536)):
        with suppress(OSError):
            _bound(family, (address[0], near, *address[2:])).close()
            return near
    return None


@contextmanager
def serving_lock(folder: Path, data: Path) -> Iterator[Callable[[str], None]]:
    """Hold the lock of a data folder, so that no other server writes there.

    Yields a function that notes the address of the server, for those who come later.

    Args:
        folder: for what the server keeps.
        data: that is served, for words.

    Raises:
        OutputError: another server holds it, or it cannot be written.
    """
    hint = "Open its address, or end that server first."
    with hold(folder / "lock", data, hint=hint) as lock:
        yield lambda url: lock.note(f"at {url}")


def _check_data(data: Path) -> None:
    """Raise DataError, with the way to make some, where there are no data."""
    check_is_local(data)
    try:
        find_shards(data)
    except DataError as error:
        made = "`reeltag extract VIDEOS --out DATA` makes data of video files."
        raise DataError(error.what, where=data, hint=f"{error.hint} {made}".strip()) from error


def _open(address: str, settings: ServerSettings) -> None:
    """Show an address in the browser, unless others would read it in the list of processes."""
    if settings.token:
        say("--open is for this machine alone: open the address yourself, it has the token.")
    elif not webbrowser.open(address):
        say("There is no browser to open it in.")


def _uvicorn(app: object, settings: ServerSettings) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)  # errors are told by our own app
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=partial(  # type: ignore[arg-type]
            GuardedProtocol, most=settings.connections, stall_s=settings.request_s
        ),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.idle_s,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Server(uvicorn.Server):
    """Says when it has started and why it has ended, and lets streams of events end with it.

    Args:
        config: of uvicorn.
        on_start: is called when it listens.
        on_exit: is called when it is asked to end.

    Attributes:
        why: it has ended: the name of a signal; "" = nothing has asked for it.
    """

    def __init__(
        self, config: uvicorn.Config, on_start: Callable[[], None], on_exit: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_start, self._on_exit = on_start, on_exit
        self.why = ""

    @contextmanager
    def ending_by_signals(self) -> Iterator[None]:
        """Let SIGTERM, and SIGHUP as of a terminal that is closed, end the server in good order."""
        numbers = {signal.SIGTERM, HANGUP}
        if signal.getsignal(HANGUP) is signal.SIG_IGN:  # by nohup
            numbers.remove(HANGUP)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run_to_its_end(self, listener: socket.socket) -> None:
        """Run until a signal; RuntimeError where it ends without one."""
        try:
            self.run(sockets=[listener])
        except KeyboardInterrupt:
            self.why = self.why or signal.SIGINT.name
        except SystemExit as error:  # it says why to its log alone
            raise RuntimeError("the server could not start") from error
        if not self.why:
            raise RuntimeError("the server has ended of itself")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.why = self.why or signal.Signals(sig).name
        self._on_exit()
