"""Reads bodies, packed or not, and no more of them than may be."""

import zlib
from collections.abc import AsyncIterable
from typing import Final

ACCEPTED_ENCODINGS: Final = "gzip, deflate"

_ANY_HEADER: Final = 32 + zlib.MAX_WBITS
"""For zlib: tells gzip and zlib apart by what the body begins with."""

_IDENTITY: Final = ("", "identity")
_PACKED: Final = ("gzip", "x-gzip", "deflate")


class BodyTooLargeError(Exception):
    """There is more than may be, as it was sent or unpacked."""


class UnknownEncodingError(Exception):
    """The body is packed in a way that was not asked for; the text names it."""


class DamagedBodyError(Exception):
    """The body cannot be unpacked."""


async def read_body(sent: AsyncIterable[bytes], /, *, encoding: str, max_bytes: int) -> bytes:
    """Reads a body to its end, or to where it is too much.

    Args:
        sent: The body as it arrives.
        encoding: Its Content-Encoding, in lower case.
        max_bytes: The largest body, unpacked, and what may be sent of it packed.

    Raises:
        BodyTooLargeError: There is more.
        UnknownEncodingError: It is packed otherwise than by gzip or deflate, or more than once.
        DamagedBodyError: It cannot be unpacked.
    """
    if encoding in _IDENTITY:
        return await _read_plain(sent, max_bytes)
    if encoding in _PACKED:
        return await _read_packed(sent, max_bytes)
    raise UnknownEncodingError(encoding)


async def _read_plain(sent: AsyncIterable[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in sent:
        body += piece
        if len(body) > max_bytes:
            raise BodyTooLargeError
    return bytes(body)


async def _read_packed(sent: AsyncIterable[bytes], max_bytes: int) -> bytes:
    unpacking, sent_bytes = _Unpacking(max_bytes), 0
    async for piece in sent:
        sent_bytes += len(piece)
        if sent_bytes > max_bytes:
            raise BodyTooLargeError
        unpacking.feed(piece)
    return unpacking.finish()


class _Unpacking:
    """Unpacks piece by piece; gzip may have several members, one after the other."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._member = zlib.decompressobj(_ANY_HEADER)
        self._body = bytearray()

    def feed(self, packed: bytes) -> None:
        while packed:
            if self._member.eof:
                self._member = zlib.decompressobj(_ANY_HEADER)
            packed = self._unpack(packed)

    def finish(self) -> bytes:
        if not self._member.eof:
            raise DamagedBodyError
        return bytes(self._body)

    def _unpack(self, packed: bytes) -> bytes:
        """Unpacks one byte more than may be at most; returns what follows the member."""
        room = self._max_bytes - len(self._body)
        try:
            self._body += self._member.decompress(packed, room + 1)
        except zlib.error as exc:
            raise DamagedBodyError from exc
        if len(self._body) > self._max_bytes:
            raise BodyTooLargeError
        return self._member.unused_data
