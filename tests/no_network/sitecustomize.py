"""Let this process, and all that it starts, talk to this machine alone.

Python imports this module when it starts; without `REELTAG_TEST_CONNECTIONS` it does nothing. Each
try to reach or to look up another machine is an error, and a line in the file that this variable
names, for a library may swallow it.
"""

import ipaddress
import os
import sys

_VARIABLE = "REELTAG_TEST_CONNECTIONS"
_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")  # (socket, address)
_LOOKING_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")  # (host, ...)


def is_here(host: object) -> bool:
    """Return whether a host is this machine."""
    name = os.fsdecode(host) if isinstance(host, str | bytes) else ""
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what leaves this machine; a hook of `sys.addaudithook`."""
    if event in _CONNECTING:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""  # others: paths of Unix sockets
    elif event in _LOOKING_UP:
        host = arguments[0]
    else:
        return
    if not is_here(host):
        with open(os.environ[_VARIABLE], "a", encoding="utf-8") as file:
            file.write(f"{event} {host!r} by {sys.argv}\n")
        raise PermissionError(f"{event} {host!r}: no network in this test")


if _VARIABLE in os.environ:
    sys.addaudithook(watch)
