"""A client that cuts streams off wherever it likes."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from tests.entrypoints.http.live_server import HELLO, LiveServer
from tests.entrypoints.http.sse import Frame, parse_frames

STREAM = "/api/chat/completions/stream"
Leave = Callable[[socket.socket], None]


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


async def send_chat(port: int, path: str = STREAM, body: dict[str, Any] = HELLO) -> socket.socket:
    """Sends a chat over a socket of its own."""
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    await loop.sock_sendall(connection, f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


async def read_cut(server: LiveServer, frames: int, leave: Leave, body: dict[str, Any] = HELLO) -> list[Frame]:
    """Begins a stream, reads so many frames and leaves."""
    connection = await send_chat(server.port, body=body)
    seen = await _read_frames(connection, frames)
    leave(connection)
    await server.until_idle()
    connection.close()
    return seen


async def read_on(server: LiveServer, generation_id: str, after: int | None) -> list[Frame]:
    """Reads a generation on to its end."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    response = await server.client.get(events_path(generation_id), headers=headers)
    assert response.status_code == 200, response.text
    return parse_frames(response.text)


def events_path(generation_id: str) -> str:
    return f"/api/generations/{generation_id}/events"


async def _read_frames(connection: socket.socket, frames: int) -> list[Frame]:
    """Reads at least so many whole frames of a chunked response, and forgets those that came beyond."""
    received = b""
    while received.count(b"\n\n\r\n") < frames:
        data = await asyncio.get_running_loop().sock_recv(connection, 1 << 16)
        assert data
        received += data
    _, _, body = received.partition(b"\r\n\r\n")
    text = b"".join(line for line in _dechunked(body)).decode()
    return parse_frames("\n\n".join(text.split("\n\n")[:frames]) + "\n\n")


def _dechunked(body: bytes) -> list[bytes]:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        body = rest[length + 2 :]
        if len(rest) < length:
            break
    return parts
