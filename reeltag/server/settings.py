"""How `reeltag serve` listens, and what it allows."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from annotated_types import Ge, Gt, Le

from reeltag.core.bounds import CheckedFields, NotNegative, Positive
from reeltag.core.errors import ConfigError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY = ("0.0.0.0", "::", "")


@dataclass(frozen=True, kw_only=True)
class ServerSettings(CheckedFields):
    """How the server listens, and the limits of what it does.

    Attributes:
        host: address to listen on; beyond this machine, a token is needed.
        port: to listen on.
        token: that a client must know; "" = none is needed.
        host_names: further names that this machine is called by, as behind a proxy.
        upload_bytes: most bytes of a video that is uploaded; 0 = none can be.
        body_bytes: most bytes of any other request.
        request_s: seconds until a request must have come and its response must begin.
        idle_s: seconds that a connection may say nothing.
        connections: most at a time.
        jobs: that run at a time.
        waiting_jobs: that may wait.
        proxy_bytes: most bytes of playable copies on disk.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65_535)] = 8765
    token: str = field(default="", repr=False)
    host_names: tuple[str, ...] = ()
    upload_bytes: NotNegative = 0
    body_bytes: Positive = 256 * 1024
    request_s: Annotated[float, Gt(0)] = 60.0
    idle_s: Positive = 15
    connections: Positive = 512
    jobs: Positive = 2
    waiting_jobs: NotNegative = 16
    proxy_bytes: NotNegative = 10_000_000_000

    def check(self) -> None:
        """Raise ConfigError where others could reach the server without a token."""
        if not self.is_local and not self.token:
            raise ConfigError(f"listening on {self.host} needs a token: other machines reach it")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the host names in lower case, numbers apart, by which a request may call it."""
        own = () if self.is_local else (socket.gethostname(), socket.getfqdn(), self.host)
        names = (*_LOOPBACK, *own, *self.host_names)
        return frozenset(of.lower().rstrip(".") for of in names if of)

    def has_name(self, name: str) -> bool:
        """Return whether a request may call the server so.

        A page of another site that lets its own name point here (DNS rebinding) calls the server
        by that name, which is none of these. An address in numbers cannot be rebound: where other
        machines may reach the server, all are fine.

        Args:
            name: host without port, as in the header Host.
        """
        name = name.lower().rstrip(".")
        if name in self.names:
            return True
        return is_loopback(name) or (not self.is_local and _address(name) is not None)

    def url(self, port: int) -> str:
        """Return the address to open, without the token.

        Args:
            port: that is listened on.
        """
        host = socket.gethostname() if self.host in _ANY else self.host
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def new_token() -> str:
    """Return a new token of 256 bits."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself, reached by no other.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
