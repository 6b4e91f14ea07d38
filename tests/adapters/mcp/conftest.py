"""What the tests of the MCP adapter share."""

import pytest


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mcp.supervised_server._FIRST_PAUSE_S", 0.05)
