"""Hypercorn's connections, with bounds where it has none.

Measured on Hypercorn 0.18:
- A WebSocket message beyond the limit is answered with a close, and then kept in memory for as long as the client goes
  on sending it.
- A compressed WebSocket message is unpacked before its length is known, to a thousand times its size.
- A client that speaks before its WebSocket handshake is answered is refused, but the application is never told, and
  serves nobody for ever.
- The task that sends pings outlives its connection by one interval.
- A connection that was closed stays for as long as its client does not read, and stopping waits for it.
- A connection that its client closed between two requests stays, with its descriptor and three tasks, until the time is
  over for which it might have been idle.

None of this can be configured, and Hypercorn finds these classes by name, so the names are given to bounded ones.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import hypercorn.asyncio.run
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, RawData, Updated
from hypercorn.events import Event as ConnectionEvent
from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream
from wsproto.events import Message, Ping

_EXTENSIONS_HEADER: Final = b"sec-websocket-extensions"

_ABNORMAL_CLOSURE: Final = 1006

LINGER_S: Final = 10.0
"""How long a client may take to read the last of what was sent to it."""

_STOPPING_LINGER_S: Final = 1.0

_FAREWELL_S: Final = 1.0
"""How long a client that sent too much has to read why it is cut off."""


def install_bounds() -> None:
    """Makes Hypercorn use the bounded classes, in the whole process."""
    for protocol in (hypercorn.protocol.h11, hypercorn.protocol.h2):
        vars(protocol)["WSStream"] = BoundedSocketStream
    vars(hypercorn.asyncio.run)["TCPServer"] = BoundedTcpServer


class BoundedTcpServer(TCPServer):
    """One TCP connection, which closes when its client does, and whether that reads or not."""

    async def protocol_send(self, event: ConnectionEvent) -> None:
        """Sends data, or takes note that the connection is idle; one whose client has left is not idle but over."""
        if isinstance(event, RawData) and self.writer.transport.is_closing():
            await asyncio.sleep(0)  # asyncio would log each write that comes before the application knows
            return
        is_over = isinstance(event, Updated) and event.idle and self.reader.at_eof()
        await super().protocol_send(Closed() if is_over else event)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()

    async def _close(self) -> None:
        linger_s = _STOPPING_LINGER_S if self.context.terminated.is_set() else LINGER_S
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(linger_s):
                    await super()._close()
        finally:
            self.writer.transport.abort()


class BoundedBuffer(WebsocketBuffer):
    """Puts a message together and never holds more than the longest one.

    Attributes:
        overflowed: Whether a message was too long; nothing is taken any more.
    """

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length)
        self.overflowed = False

    def extend(self, event: Message[Any]) -> None:
        """Takes the next part of a message.

        Raises:
            FrameTooLargeError: The message is too long.
        """
        self.overflowed = self.overflowed or self.length + len(event.data) > self.max_length
        if self.overflowed:
            self.clear()
            raise FrameTooLargeError
        super().extend(event)


class BoundedSocketStream(WSStream):
    """One WebSocket connection, uncompressed and bounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever Hypercorn passes
        super().__init__(*args, **kwargs)
        self.buffer: BoundedBuffer = BoundedBuffer(self.config.websocket_max_message_size)
        self._over = asyncio.Event()
        self._is_cut_off = False

    async def handle(self, event: Event) -> None:
        """Takes what the client sent, up to the first message that is too long."""
        if self.closed or (self._is_cut_off and isinstance(event, Body | Data)):
            return
        await super().handle(_without_extensions(event) if isinstance(event, Request) else event)
        if self.closed:
            self._over.set()
            await self._tell_application(event)
        elif self.buffer.overflowed:
            self._is_cut_off = True
            self.task_group.spawn(self._cut_off)

    async def _tell_application(self, event: Event) -> None:
        """Ends the application of a client that spoke before its handshake was answered; Hypercorn tells it nothing."""
        if isinstance(event, Body | Data) and self.app_put is not None:
            await self.app_put({"type": "websocket.disconnect", "code": _ABNORMAL_CLOSURE})
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _cut_off(self) -> None:
        await self.context.sleep(_FAREWELL_S)
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _send_pings(self) -> None:
        interval_s = self.config.websocket_ping_interval
        while not self._over.is_set():
            await self._send_wsproto_event(Ping())
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._over.wait()


def _without_extensions(request: Request) -> Request:
    return replace(
        request, headers=[(name, value) for name, value in request.headers if name.lower() != _EXTENSIONS_HEADER]
    )
