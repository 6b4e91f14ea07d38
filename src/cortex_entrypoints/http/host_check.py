"""Answers only to this server's own names, so that a hostile page cannot reach it by DNS rebinding.

A page at http://evil.example can point its own name at 127.0.0.1 and then count as same-origin. What it cannot change
is the Host header, which names evil.example.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from cortex_entrypoints.http.edge_errors import HostNotAllowedError

_HOST_HEADER = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:[0-9]*)?")

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class HostCheck:
    """Knows the host names of this server.

    Args:
        host: Address that the server listens on.
        allowed_hosts: Further names, without ports.
    """

    def __init__(self, *, host: str, allowed_hosts: Iterable[str]) -> None:
        self._names = LOOPBACK_NAMES | {_canonical(name) for name in (host, *allowed_hosts)}

    def require_allowed(self, host_header: str | None) -> None:
        """Checks the Host header of a request.

        Raises:
            HostNotAllowedError: It names another host, or none.
        """
        if _canonical(_without_port(host_header or "")) not in self._names:
            raise HostNotAllowedError(
                "This server does not answer to the host name of this request. "
                "If it should, add the name to ALLOWED_HOSTS."
            )


def is_loopback(host: str) -> bool:
    """Tells whether a server that listens on this address can be reached from this machine only."""
    try:
        return ip_address(_canonical(host)).is_loopback
    except ValueError:
        return _canonical(host) == "localhost"


def _without_port(host_header: str) -> str:
    match = _HOST_HEADER.fullmatch(host_header)
    return match["name"] if match else ""


def _canonical(name: str) -> str:
    return name.lower().removesuffix(".").removeprefix("[").removesuffix("]")
