"""Adapters without a model, a disk or a network: for tests of what stands on Cortex, and for a demo.

    loader, clock = FakeModelLoader(), FakeClock()
    store = FakeModelStore()
    generator = FakeTextGenerator(loader=loader, clock=clock, script=["Hello.", ScriptedReply(refusal=error)])
    await loader.load(await store.locate(ECHO_MODEL))

They keep the same contracts as the real adapters, and they suspend wherever a real one would.
"""

from cortex_adapters.fake.clock import FakeClock
from cortex_adapters.fake.code_executor import CodeStandIn, FakeCodeExecutor
from cortex_adapters.fake.engine_monitor import FakeEngineMonitor
from cortex_adapters.fake.model_loader import FakeModelLoader
from cortex_adapters.fake.model_store import ECHO_MODEL, FakeModelStore, ScriptedPull
from cortex_adapters.fake.page_fetcher import FakePageFetcher
from cortex_adapters.fake.scripted_reply import ScriptedReply
from cortex_adapters.fake.scripted_tool_call import ScriptedToolCall
from cortex_adapters.fake.scripted_tool_use import ScriptedToolUse
from cortex_adapters.fake.text_generator import HONOURED, FakeTextGenerator
from cortex_adapters.fake.tool_provider import FakeToolProvider
from cortex_adapters.fake.web_searcher import FakeWebSearcher
from cortex_adapters.fake.workspace import FakeWorkspace

__all__ = [
    "ECHO_MODEL",
    "HONOURED",
    "CodeStandIn",
    "FakeClock",
    "FakeCodeExecutor",
    "FakeEngineMonitor",
    "FakeModelLoader",
    "FakeModelStore",
    "FakePageFetcher",
    "FakeTextGenerator",
    "FakeToolProvider",
    "FakeWebSearcher",
    "FakeWorkspace",
    "ScriptedPull",
    "ScriptedReply",
    "ScriptedToolCall",
    "ScriptedToolUse",
]
