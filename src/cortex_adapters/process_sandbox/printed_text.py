"""Reads what a program prints, up to a limit."""

import asyncio


class PrintedText:
    """Reads both streams of a process until they end, or say too much.

    Args:
        stdout: The one stream.
        stderr: The other.
        max_bytes: What is kept of both together, in bytes.

    Attributes:
        is_full: Done when there was more than that.
    """

    def __init__(self, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, *, max_bytes: int) -> None:
        self.is_full: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = max_bytes
        self._reading = [asyncio.create_task(self._read(stream)) for stream in (stdout, stderr)]

    async def read(self) -> tuple[str, str]:
        """Waits for the end of both and returns what was kept; a character that the limit cut is left out."""
        stdout, stderr = await asyncio.gather(*self._reading)
        return stdout.decode("utf-8", "ignore"), stderr.decode("utf-8", "ignore")

    async def _read(self, stream: asyncio.StreamReader) -> bytes:
        kept = bytearray()
        while read := await stream.read(65536):
            kept += read[: self._room]
            if len(read) > self._room and not self.is_full.done():
                self.is_full.set_result(None)
            self._room = max(0, self._room - len(read))
        return bytes(kept)
