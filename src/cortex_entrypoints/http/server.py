"""Serves the application with Hypercorn, in this process, and stops without cutting anybody off in silence.

Hypercorn's own way of stopping cuts streams after a few seconds, and from Python 3.12 on it waits for ever for clients
that do not leave. So the work is drained before Hypercorn is told to stop, and its stopping is bounded too.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.app import create_app
from cortex_entrypoints.http.host_check import is_loopback
from cortex_entrypoints.http.hypercorn_bounds import install_bounds
from cortex_entrypoints.http.in_flight import FAREWELL_S, InFlight
from cortex_entrypoints.http.listener import open_listener, url_of
from cortex_entrypoints.http.stop_signals import StopSignals
from cortex_entrypoints.settings import Settings

logger = logging.getLogger(__name__)

_CLOSING_S: Final = 2.0
"""How long connections may take to close once their work is done."""

KEEP_ALIVE_S: Final = 75.0
"""How long a connection may stay idle, or take to send the head of a request."""

MAX_SOCKET_MESSAGE_BYTES: Final = 1024 * 1024
"""Longest WebSocket message; a connection that sends a longer one is closed with code 1009."""

_PING_INTERVAL_S: Final = 20.0
_WATCHDOG_MARGIN_S: Final = 10.0


async def serve(cortex: Cortex, settings: Settings, *, on_listening: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what runs and returns.

    Args:
        cortex: The use cases, started; the caller stops it afterwards.
        settings: Address, origins, defaults and grace.
        on_listening: Called with the server's URL once it accepts connections.

    Raises:
        ListenError: The address cannot be listened on.
    """
    listener = open_listener(settings.host, settings.port)
    if not is_loopback(settings.host):
        logger.warning(
            "HOST=%s can be reached from other machines, and there is no authentication yet: "
            "everybody who reaches it can use and delete models.",
            settings.host,
        )
    stop = asyncio.Event()
    patience_s = settings.shutdown_grace_s + FAREWELL_S + 2 * _CLOSING_S + _WATCHDOG_MARGIN_S
    with StopSignals(stop, patience_s=patience_s).handled():
        await serve_until(stop, cortex, settings, listener=listener, on_listening=on_listening)


async def serve_until(
    stop: asyncio.Event,
    cortex: Cortex,
    settings: Settings,
    *,
    listener: socket.socket,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serves on a socket until `stop` is set, then finishes what runs and returns. The socket is closed."""
    in_flight, closing = InFlight(), asyncio.Event()
    app = create_app(cortex, settings, in_flight=in_flight)
    url = url_of(listener)
    server = asyncio.create_task(
        hypercorn_serve(app, _hypercorn_config(listener), shutdown_trigger=closing.wait, mode="asgi")
    )
    if on_listening is not None:
        on_listening(url)
    try:
        await _first_of(server, stop)
        await asyncio.gather(
            in_flight.drain(settings.shutdown_grace_s), cortex.agent_runs.drain(settings.shutdown_grace_s)
        )
    finally:
        closing.set()
        await _close(server)


async def _first_of(server: asyncio.Task[None], stop: asyncio.Event) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _close(server: asyncio.Task[None]) -> None:
    _, pending = await asyncio.wait({server}, timeout=2 * _CLOSING_S)
    if pending:
        logger.warning("Connections that would not close were left behind")
        server.cancel()
        await asyncio.wait(pending)
    else:
        server.result()


def _hypercorn_config(listener: socket.socket) -> Config:
    install_bounds()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.graceful_timeout = _CLOSING_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.websocket_max_message_size = MAX_SOCKET_MESSAGE_BYTES
    config.websocket_ping_interval = _PING_INTERVAL_S
    return config
