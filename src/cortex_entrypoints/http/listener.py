"""Where the server listens."""

import socket
import sys
from typing import Final

BACKLOG: Final = 128
"""Connections that the system may hold until the server takes them."""

UNREAD_S: Final = 90
"""After how many seconds Linux drops a client that does not take what was sent to it."""


class ListenError(Exception):
    """The address cannot be listened on. The message is one line, fit for a terminal."""


def open_listener(host: str, port: int) -> socket.socket:
    """Opens a listening socket; port 0 lets the system choose one.

    Raises:
        ListenError: The address is taken, not this machine's, or not to be had without more rights.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as exc:
        raise ListenError(f"Cannot listen on {host} port {port}: {exc.strerror or exc}. Set HOST or PORT.") from exc
    _set_options(listener)
    return listener


def url_of(listener: socket.socket) -> str:
    """Tells the URL of the server that listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _set_options(listener: socket.socket) -> None:
    """Sets what accepted connections inherit: no delay, and an end for clients that vanish or stop reading."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * UNREAD_S)
