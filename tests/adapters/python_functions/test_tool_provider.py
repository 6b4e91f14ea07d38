import asyncio
import threading

import pytest

from cortex_adapters.python_functions import FunctionToolProvider, tool
from cortex_adapters.python_functions.tool_provider import MOST_THREADS
from cortex_domain.tool_execution import ToolContext


async def test_two_tools_of_one_name_are_refused() -> None:
    @tool
    def add(a: int) -> int:
        return a

    with pytest.raises(ValueError, match="2 tools are named 'add'"):
        FunctionToolProvider([add, add])


async def test_only_so_many_threads_run_at_once() -> None:
    running: list[int] = []
    most: list[int] = []
    release = threading.Event()

    @tool
    def hold() -> None:
        running.append(1)
        most.append(len(running))
        release.wait()
        running.pop()

    provider = FunctionToolProvider([hold])
    context = ToolContext(call_id="c1", deadline_s=1e9, report_progress=lambda *_: None)
    uses = [asyncio.create_task(provider.invoke("hold", {}, context)) for _ in range(MOST_THREADS + 8)]
    while len(running) < MOST_THREADS:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    release.set()
    await asyncio.gather(*uses)
    assert (len(most), max(most)) == (MOST_THREADS + 8, MOST_THREADS)


async def test_tools_are_listed_in_their_order() -> None:
    @tool
    def zebra() -> None: ...

    @tool
    def ant() -> None: ...

    assert [listed.name for listed in await FunctionToolProvider([zebra, ant]).list_tools()] == ["zebra", "ant"]
