"""A server that speaks as much of OpenAI's dialect as is needed to be measured."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class OpenAiStub:
    """Streams a fixed number of words, in HTTP/1.0 and until it closes the connection, as mlx_lm.server does.

    Attributes:
        words: Pieces of text in an answer.
        counts_tokens: Whether it sends usage.
        healthy_chats: How many chats it answers before it refuses all others; None answers all.
        cut_after: Closes the connection after so many words; None never does.
        bodies: What it was asked.
        headers: The header block of each chat.
    """

    words: int = 5
    counts_tokens: bool = True
    healthy_chats: int | None = None
    cut_after: int | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except asyncio.IncompleteReadError:  # the client left
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not head.startswith("POST /v1/chat/completions "):
            writer.write(b"HTTP/1.0 404 Not Found\r\n\r\nNot Found")
            return
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.headers.append(head)
        self.bodies.append(json.loads(await reader.readexactly(length)))
        if self.healthy_chats is not None and len(self.bodies) > self.healthy_chats:
            writer.write(b'HTTP/1.0 503 Service Unavailable\r\n\r\n{"error": "out of order"}')
            return
        writer.write(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: keep-alive 1/2\n\n")
        for frame in self._frames():
            writer.write(frame[:9])
            await writer.drain()
            await asyncio.sleep(0)  # a frame may come in two pieces
            writer.write(frame[9:])

    def _frames(self) -> list[bytes]:
        texts: list[dict[str, Any]] = [
            {"choices": [{"delta": {"content": f" {number}"}}]} for number in range(self.words)
        ]
        if self.cut_after is not None:
            return [_frame(text) for text in texts[: self.cut_after]]
        usage = {"prompt_tokens": 80, "completion_tokens": self.words + 1}
        end: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": "length"}]}
        counted: list[dict[str, Any]] = [{"choices": [], "usage": usage}] if self.counts_tokens else []
        return [*map(_frame, [*texts, end, *counted]), b"data: [DONE]\n\n"]


def _frame(fields: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(fields).encode()


@asynccontextmanager
async def openai_stub(**fields: Any) -> AsyncIterator[OpenAiStub]:
    """Runs a stub on a port of the system's choice."""
    stub = OpenAiStub(**fields)
    async with await asyncio.start_server(stub.handle, "127.0.0.1", 0) as server:
        stub.port = server.sockets[0].getsockname()[1]
        yield stub
