"""Anthropic's own clients, and what they say."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anthropic

from cortex_adapters.fake import ECHO_MODEL, FakeModelLoader, FakeTextGenerator
from cortex_adapters.system.clock import SystemClock
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer

MESSAGES: Any = [{"role": "user", "content": "hello big world"}]
CHAT: Any = {"model": ECHO_MODEL, "max_tokens": 100, "messages": MESSAGES}


def client_of(server: LiveServer) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0)


def text_of(message: Any) -> str:
    """Returns the text of a message that has one block."""
    [block] = message.content
    assert block.type == "text"
    text: str = block.text
    return text


class ListeningGenerator(FakeTextGenerator):
    """Answers like the echo, and remembers what it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[GenerationRequest] = []

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        self.asked.append(request)
        return super().generate_text(request)


def listening() -> tuple[ListeningGenerator, FakeAdapters]:
    """Builds a generator that remembers, and what a server needs to stand on it."""
    loader, clock = FakeModelLoader(), SystemClock()
    generator = ListeningGenerator(loader=loader, clock=clock)
    return generator, FakeAdapters(loader=loader, clock=clock, generator=generator)
