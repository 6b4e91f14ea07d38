"""Opens connections to the public internet and to nothing else.

A name is resolved once, here, where the connection is opened: what is checked is what is connected to, so that an
answer that changes in between, or a second reading of the address, makes no difference.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Final

import psutil
from httpcore2 import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError, ConnectTimeout

from cortex_adapters.web_pages.public_addresses import is_public

PUBLIC_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Where web servers are found. Behind others there may be services that take a request for their own commands."""

_RESOLVING: Final = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolving")
"""Threads of their own: names that take long to resolve must not take those that others wait for."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses that a host name, or an address as text, has for a port. Raises `HostNotFoundError`."""


class AddressRefusedError(Exception):
    """The connection would not lead to a public web server; the text says what it would lead to."""


class HostNotFoundError(Exception):
    """No machine has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHost:
    """A host that may be reached wherever it is.

    Attributes:
        name: Its name or address, in lower case, as it is written in URLs.
        port: The one port that may be reached; None allows all.
    """

    name: str
    port: int | None = None


async def resolve(host: str, port: int) -> Sequence[str]:
    """Asks the system's resolver, in a thread."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(_RESOLVING, ask)
    except (OSError, UnicodeError) as exc:
        raise HostNotFoundError(host) from exc
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def own_addresses() -> Collection[str]:
    """Returns the addresses of this machine's interfaces; a public one among them is still this machine."""
    return {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}


class GuardedNetwork(AsyncNetworkBackend):
    """The network as far as it is public.

    Args:
        allowed: Hosts that may be reached although they are not public, on any port.
        ports: Ports on which all others may be reached.
        resolver: Finds addresses.
        own: Tells this machine's addresses.
        backend: Opens what is allowed.
    """

    def __init__(
        self,
        *,
        allowed: Collection[AllowedHost] = (),
        ports: Collection[int] = PUBLIC_PORTS,
        resolver: Resolver = resolve,
        own: Callable[[], Collection[str]] = own_addresses,
        backend: AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._ports = ports
        self._resolver = resolver
        self._own = own
        self._backend = backend or AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connects to the first of a host's addresses that answers.

        Raises:
            AddressRefusedError: The host is not allowed, and the port or one of its addresses is not public.
            HostNotFoundError: It has no address.
            ConnectError: None of its addresses answers.
        """
        addresses = await self._addresses(host, port)
        failure: Exception = ConnectError("There is no address.")
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as exc:
                failure = exc
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Waits, between attempts."""
        await self._backend.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        if self._is_allowed(host, port):
            return await self._resolver(host, port)
        if port not in self._ports:
            raise AddressRefusedError(f"port {port}")
        addresses = await self._resolver(host, port)
        own = self._own()
        for address in addresses:
            if address in own or not is_public(ip_address(address)):
                raise AddressRefusedError("this machine or a network that is not public")
        return addresses

    def _is_allowed(self, host: str, port: int) -> bool:
        return not self._allowed.isdisjoint({AllowedHost(name=host), AllowedHost(name=host, port=port)})
