from collections.abc import AsyncIterator

import anthropic
import pytest

from tests.entrypoints.http.anthropic.clients import client_of
from tests.entrypoints.http.live_server import LiveServer


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Anthropic's own client of a server whose model says what the user said."""
    async with client_of(server) as opened:
        yield opened
