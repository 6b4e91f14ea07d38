"""A server whose model says what each request asks for, at the pace that it asks for.

usage: python -m tests.reliability.paced_server

It prints its port and runs until its input ends. The last message of a chat is a `Pace` as JSON, or any other text,
which is said again at once.
"""

import asyncio
import socket
import sys
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cortex_adapters.fake import FakeEngineMonitor, FakeTextGenerator, ScriptedReply
from cortex_domain.generation import GenerationRequest
from cortex_entrypoints import Settings
from cortex_entrypoints.http.listener import open_listener
from cortex_entrypoints.http.server import serve_until
from tests.entrypoints.http.live_server import FakeAdapters


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a model shall say.

    Attributes:
        pieces: How many pieces, numbered from 0 to 99 and over again.
        delay_s: Seconds between them.
        piece_bytes: Length of each.
    """

    pieces: int
    delay_s: float
    piece_bytes: int = 8

    def chat(self) -> dict[str, Any]:
        """Builds the body that asks for it."""
        content = TypeAdapter(Pace).dump_json(self).decode()
        return {"messages": [{"role": "user", "content": content}], "max_tokens": 1_000_000}

    def text(self) -> str:
        """Tells the whole answer."""
        return "".join(self._pieces())

    def _pieces(self) -> tuple[str, ...]:
        different = [f"{number} ".rjust(self.piece_bytes, ".") for number in range(100)]
        return tuple(different[number % 100] for number in range(self.pieces))

    def reply(self) -> ScriptedReply:
        """Builds the reply that says it."""
        return ScriptedReply(pieces=self._pieces(), delay_s=self.delay_s)


class PacedGenerator(FakeTextGenerator):
    """Answers as it is asked to."""

    def _next_reply(self, request: GenerationRequest, max_tokens: int) -> ScriptedReply:
        try:
            return TypeAdapter(Pace).validate_json(request.messages[-1].text).reply()
        except ValidationError:
            return super()._next_reply(request, max_tokens)

    def _fit(self, request: GenerationRequest, prompt_tokens: int, context_window: int) -> int:
        return request.max_tokens or super()._fit(request, prompt_tokens, context_window)


async def main() -> None:
    """Serves until standard input ends."""
    adapters = FakeAdapters()
    adapters.fake_generator = PacedGenerator(loader=adapters.loader, clock=adapters.clock)
    adapters.monitor = FakeEngineMonitor(loader=adapters.loader, generator=adapters.fake_generator)
    listener, stop = open_listener("127.0.0.1", 0), asyncio.Event()
    # Accepted connections inherit it. The system's own choice takes megabytes, more than most answers.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    print(listener.getsockname()[1], flush=True)  # noqa: T201
    await serve_until(stop, adapters.wire(), Settings(shutdown_grace_s=0), listener=listener)


if __name__ == "__main__":
    asyncio.run(main())
