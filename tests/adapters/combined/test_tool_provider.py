"""Several providers as one: each loses its own tools only."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cortex_adapters.combined import CombinedToolProvider, tool_provider
from cortex_adapters.fake import FakeClock, FakeToolProvider
from cortex_domain.errors import StorageError, ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolJson, ToolOutput
from cortex_domain.tools import ToolDefinition

CONTEXT = ToolContext(call_id="c1", deadline_s=1e9, report_progress=lambda *_: None)


def fake(*names: str) -> FakeToolProvider:
    tools = [ToolDescriptor(definition=ToolDefinition(name=name)) for name in names]
    return FakeToolProvider(tools, clock=FakeClock(auto_advance=True))


class Unlistable(ToolProvider):
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error or AssertionError

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        raise AssertionError


async def names_of(provider: ToolProvider) -> list[str]:
    return [tool.name for tool in await provider.list_tools()]


async def test_tools_keep_their_order_and_go_to_their_provider() -> None:
    first, second = fake("zebra", "ant"), fake("bee")
    combined = CombinedToolProvider([first, second])
    output = await combined.invoke("bee", {"a": 1}, CONTEXT)
    assert output.content == (ToolJson(value={"a": 1}),)
    assert (first.uses, second.uses) == ([], [("bee", {"a": 1})])
    assert await names_of(combined) == ["zebra", "ant", "bee"]


async def test_of_one_name_the_first_is_offered_and_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    first, second = fake("bee"), fake("bee", "ant")
    combined = CombinedToolProvider([first, second])
    assert await names_of(combined) == ["bee", "ant"]
    assert "the tool bee of FakeToolProvider is left out" in caplog.text
    await combined.invoke("bee", {}, CONTEXT)
    assert (len(first.uses), len(second.uses)) == (1, 0)


@pytest.mark.parametrize("error", [StorageError("gone"), KeyError("bug"), None])
async def test_a_provider_that_cannot_list_loses_its_own_tools_only(
    error: Exception | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_provider, "LISTING_PATIENCE_S", 0.01)
    with caplog.at_level(logging.ERROR):
        assert await names_of(CombinedToolProvider([Unlistable(error), fake("bee")])) == ["bee"]
    assert "the tools of Unlistable cannot be listed" in caplog.text


async def test_what_came_after_the_listing_is_found_and_what_nobody_has_is_refused() -> None:
    combined = CombinedToolProvider([fake("bee")])
    with pytest.raises(ToolNotFoundError):
        await combined.invoke("ant", {}, CONTEXT)
    assert (await combined.invoke("bee", {}, CONTEXT)).content == (ToolJson(value={}),)
    assert await names_of(CombinedToolProvider([])) == []
