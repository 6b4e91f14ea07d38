"""The adapter keeps the contract of tool providers over real servers, by both transports."""

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cortex_adapters.mcp import HttpConnection, McpServer, StdioConnection
from cortex_contracts.tool_provider import ToolProviderContract, ToolProviderHarness, ToolUse
from tests.adapters.mcp.servers import SDK_SERVER, http_server, provided


class Trace:
    """What the server writes down of a use that waits.

    Args:
        path: Where.
    """

    settling_s = 2.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._was_seen = False

    def is_at_work(self) -> bool:
        """Gives a use that was seen at work a moment to end: the protocol says that it is to, and not when it has."""
        until_s = time.monotonic() + self.settling_s
        while self._was_seen and self.times_begun() > self._times("ended") and time.monotonic() < until_s:
            time.sleep(0.01)
        is_at_work = self.times_begun() > self._times("ended")
        self._was_seen = self._was_seen or is_at_work
        return is_at_work

    def times_begun(self) -> int:
        return self._times("begun")

    def _times(self, word: str) -> int:
        return self._path.read_text().split().count(word) if self._path.exists() else 0


@pytest.fixture(scope="module", params=["stdio", "http"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[McpServer]:
    if request.param == "stdio":
        yield McpServer(name="sdk", connection=StdioConnection(command=sys.executable, args=(SDK_SERVER, "stdio")))
        return
    async with http_server() as url:
        yield McpServer(name="sdk", connection=HttpConnection(url=url))


class TestMcpToolProvider(ToolProviderContract):
    @pytest.fixture
    async def harness(self, server: McpServer, tmp_path: Path) -> AsyncIterator[ToolProviderHarness]:
        trace = Trace(tmp_path / "trace")
        path = str(tmp_path / "trace")
        async with provided(server) as provider:
            yield ToolProviderHarness(
                provider=provider,
                working=ToolUse(name="sdk__add", arguments={"a": 2, "b": 3}),
                wrong=ToolUse(name="sdk__wait", arguments={"path": 7}),
                failing=ToolUse(name="sdk__fail", arguments={"why": "no luck"}),
                waiting=ToolUse(name="sdk__wait", arguments={"path": path}),
                times_begun=trace.times_begun,
                is_at_work=trace.is_at_work,
            )
