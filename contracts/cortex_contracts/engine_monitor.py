"""The contract of `cortex_domain.ports.EngineMonitor`. Its harness is that of the text generator it watches."""

import asyncio

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.conversations import chat, first_delta, read
from cortex_contracts.text_generator import TextGeneratorHarness


@pytest.mark.asyncio
class EngineMonitorContract:
    """Subclass this and define a fixture `harness` that returns a `TextGeneratorHarness`."""

    @checks("engine_monitor.counts_requests")
    async def test_counts_requests(self, harness: TextGeneratorHarness) -> None:
        """Looks while an answer is half read."""
        async with harness.generator.generate_text(chat(harness.files, max_tokens=200)) as events:
            await first_delta(events)
            assert harness.monitor.status().active_requests >= 1

    @checks("engine_monitor.idle_again")
    async def test_idle_again(self, harness: TextGeneratorHarness) -> None:
        """Leaves one answer, reads another one to its end, and waits until neither is counted."""
        async with harness.generator.generate_text(chat(harness.files, max_tokens=200)) as events:
            await first_delta(events)
        await read(harness.generator, chat(harness.files, max_tokens=2))
        while not _is_idle(harness):  # noqa: ASYNC110 - a monitor can only be looked at
            await asyncio.sleep(0.01)

    @checks("engine_monitor.memory_in_bytes")
    async def test_memory_in_bytes(self, harness: TextGeneratorHarness) -> None:
        """Compares with what the loader says that the model takes; sharing and padding may halve or add to it."""
        model = await harness.loader.load(harness.files)
        status = harness.monitor.status()
        assert status.peak_memory_bytes >= status.active_memory_bytes >= model.memory_bytes / 2

    @checks("engine_monitor.no_failure_while_serving")
    async def test_no_failure_while_serving(self, harness: TextGeneratorHarness) -> None:
        """Looks right after an answer."""
        await read(harness.generator, chat(harness.files, max_tokens=1))
        assert harness.monitor.status().failure is None


def _is_idle(harness: TextGeneratorHarness) -> bool:
    status = harness.monitor.status()
    return status.active_requests + status.waiting_requests == 0
