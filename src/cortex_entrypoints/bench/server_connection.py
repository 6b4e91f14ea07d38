"""One HTTP/1.1 exchange with a server that streams.

On h11 and a socket, because the load generator must not be what is measured: httpx2 takes nearly twice the CPU time for
each event (63 against 35 µs, 16 streams, 2 cores of an AMD EPYC), and connects when the clock already runs.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

import h11

_READ_BYTES = 65536
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ConnectionFailedError(Exception):
    """The server cannot be reached, or ended the exchange in the middle. The message says which."""


class ServerConnection:
    """A connection for one request."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `open`."""
        self._path, self._host = urlsplit(url).path.rstrip("/"), urlsplit(url).netloc.rpartition("@")[2]
        self._reader, self._writer = reader, writer
        self._protocol = h11.Connection(our_role=h11.CLIENT)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connects.

        Args:
            url: `http` or `https`, host, port and what all paths of the server begin with.

        Raises:
            ConnectionFailedError: Nobody listens there.
        """
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        encryption = ssl.create_default_context() if parts.scheme == "https" else None
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=encryption)
        except OSError as exc:
            raise ConnectionFailedError(f"{url} cannot be reached: {exc}") from exc
        return cls(url, reader, writer)

    async def send(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Sends the request.

        Raises:
            ConnectionFailedError: The server closed the connection.
        """
        fields = {
            "Host": self._host,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }
        request = h11.Request(method=method, target=self._path + path, headers=list(fields.items()))
        sent = [self._protocol.send(event) for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        try:
            self._writer.write(b"".join(data or b"" for data in sent))
            await self._writer.drain()
        except OSError as exc:
            raise ConnectionFailedError(f"the connection broke while sending: {exc}") from exc

    async def status(self) -> int:
        """Waits for the status of the answer.

        Raises:
            ConnectionFailedError: The server ended the exchange before it.
        """
        while not isinstance(event := await self._next_event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise ConnectionFailedError("the server closed the connection without an answer")
        return event.status_code

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yields the body as it arrives.

        Raises:
            ConnectionFailedError: The server ended the exchange in the middle.
        """
        while isinstance(event := await self._next_event(), h11.Data):
            yield bytes(event.data)

    async def body(self) -> bytes:
        """Waits for the whole body.

        Raises:
            ConnectionFailedError: The server ended the exchange in the middle.
        """
        return b"".join([piece async for piece in self.pieces()])

    def close(self) -> None:
        """Ends the connection."""
        self._writer.close()

    async def _next_event(self) -> object:
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        except (OSError, h11.RemoteProtocolError) as exc:
            raise ConnectionFailedError(f"the server ended the exchange in the middle: {exc}") from exc
        return event
