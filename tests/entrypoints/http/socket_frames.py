"""WebSocket as bytes, for clients that keep to no rule."""

import struct

HANDSHAKE = (
    b"GET /api/chat/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: int, payload: bytes, *, is_last: bool = True, is_compressed: bool = False) -> bytes:
    """Writes a frame of a client, masked with zeros; the payload has at least 126 bytes."""
    head = opcode | (0x80 if is_last else 0) | (0x40 if is_compressed else 0)
    is_long = len(payload) > 65_535
    length = struct.pack("!BQ", 0xFF, len(payload)) if is_long else struct.pack("!BH", 0xFE, len(payload))
    return bytes([head]) + length + bytes(4) + payload
