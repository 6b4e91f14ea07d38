"""A live server for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.http.live_server import LiveServer, live_server


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    """A server whose model says what the user said."""
    async with live_server() as running:
        yield running
