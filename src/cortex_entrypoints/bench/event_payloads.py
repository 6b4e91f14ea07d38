"""Server-sent events, as far as streams of answers use them: one JSON text a `data:` line."""

from collections.abc import AsyncIterator

_DATA = b"data:"


async def event_payloads(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields what follows `data:` in each line, whatever pieces the lines came in.

    Everything else is left out: names and numbers of events, comments that keep a connection alive.
    """
    unfinished = b""
    async for piece in pieces:
        *lines, unfinished = (unfinished + piece).split(b"\n")
        for line in lines:
            if line.startswith(_DATA):
                yield line[len(_DATA) :].strip()
