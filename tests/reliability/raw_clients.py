"""Clients on sockets of their own: cheap enough for hundreds, and able to leave as real ones do."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

STREAM = "/api/chat/completions/stream"


class EventStream:
    """A chat over a connection of its own.

    HTTP/1.0, so that what follows the head is the events and nothing else.

    Attributes:
        texts: The pieces of the answer so far.
        gaps_s: Seconds between each two of them.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.texts: list[str] = []
        self.gaps_s: list[float] = []
        self._reader = reader
        self._writer = writer
        self._last_s: float | None = None

    @classmethod
    async def open(cls, port: int, chat: dict[str, Any]) -> Self:
        """Sends the chat."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(STREAM, chat))
        return cls(reader, writer)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Reads the events."""
        async for line in self._reader:
            if line.startswith(b"data: "):
                event: dict[str, Any] = json.loads(line[6:])
                if event["type"] == "text_delta":
                    self._take(event["text"])
                yield event

    async def whole_text(self) -> str:
        """Reads to the end, which must be `done`, and returns the text."""
        last = None
        async for event in self.events():
            last = event
        self._writer.close()
        assert last is not None
        assert last["type"] == "done", last
        return "".join(self.texts)

    async def begun(self) -> None:
        """Reads up to the first piece of the answer."""
        async for event in self.events():
            if event["type"] == "text_delta":
                return

    def close(self) -> None:
        """Leaves, properly."""
        self._writer.close()

    def reset(self) -> None:
        """Leaves by a reset."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def half_close(self) -> None:
        """Says that it has nothing more to say, and reads no more."""
        self._writer.write_eof()

    def _take(self, text: str) -> None:
        now_s = time.perf_counter()
        if self._last_s is not None:
            self.gaps_s.append(now_s - self._last_s)
        self._last_s = now_s
        self.texts.append(text)


class KeptConnection:
    """A connection that is kept from request to request, as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, content: bytes) -> tuple[int, bytes]:
        """Posts JSON; returns status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(_head(path, content, "HTTP/1.1") + content)
        status, *headers = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        [length] = [header.partition(b":")[2] for header in headers if header.startswith(b"content-length:")]
        body = await reader.readexactly(int(length))
        if b"connection: close" in headers:
            self.close()
        return int(status.split()[1]), body

    def close(self) -> None:
        """Closes it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


LEAVINGS: tuple[Callable[[EventStream], None], ...] = (EventStream.close, EventStream.reset, EventStream.half_close)


def post(path: str, body: dict[str, Any]) -> bytes:
    """Writes a request."""
    content = json.dumps(body).encode()
    return _head(path, content, "HTTP/1.0") + content


def _head(path: str, content: bytes, version: str) -> bytes:
    head = f"POST {path} {version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode()


async def slow_connection(port: int, chat: dict[str, Any]) -> socket.socket:
    """Sends a chat over a socket that holds back next to nothing, so that the server feels how it is read."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", port))
    await loop.sock_sendall(connection, post(STREAM, chat))
    return connection


async def read_slowly(connection: socket.socket, *, bytes_per_s: int) -> None:
    """Reads for ever."""
    while await asyncio.get_running_loop().sock_recv(connection, bytes_per_s):
        await asyncio.sleep(1)
