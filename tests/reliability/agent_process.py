"""A program that works on agent runs in a SQLite file until it is killed, with tools that leave a trace.

`python -m tests.reliability.agent_process DIRECTORY SEED RUNS` goes on with what is there, begins runs until there are
so many, and ends when all are over. Every use of a tool is a line in `uses`, every run that was begun one in `begun`.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from cortex_adapters.fake import ScriptedReply
from cortex_adapters.sqlite import SqliteAgentRunStore
from cortex_adapters.system.clock import SystemClock
from cortex_domain.agent_run_events import ApprovalDecision
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput, ToolText
from tests.domain.use_cases.agent_bench import MOLE, TOOLS, AgentBench, calling, to


class TracingTools(ToolProvider):
    """Leaves a trace that outlives the process."""

    def __init__(self, uses: Path) -> None:
        self._file = os.open(uses, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        return TOOLS

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        os.write(self._file, f"{context.run_id} {context.call_id} {name}\n".encode())
        await asyncio.sleep(0.002)
        return ToolOutput(content=(ToolText(text="earth"),))


def replies(random: Random) -> Iterator[ScriptedReply]:
    while True:
        if random.random() < 0.2:
            yield ScriptedReply.saying("It is done, and that is all that there is to say.")
        else:
            names = random.choices(["look", "dig", "write"], k=random.randint(1, 2))
            yield calling(*(to(name, n=random.randrange(100)) for name in names), text="Let me see. ")


async def main(directory: Path, seed: int, runs: int) -> None:
    store = SqliteAgentRunStore(directory / "runs.sqlite")
    bench = AgentBench(
        script=replies(Random(seed)),
        provider=TracingTools(directory / "uses"),
        store=store,
        clock=SystemClock(),
    )
    begun = os.open(directory / "begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    open_runs = [run.run_id for run in await store.list_runs(owner=None, limit=10_000) if not run.status.is_final]
    missing = runs - len((directory / "begun").read_text().splitlines())
    os.write(1, b"ready\n")
    for run_id in open_runs:
        await finish(bench, run_id)
    for _ in range(missing):
        run_id = await bench.start(MOLE)
        os.write(begun, f"{run_id}\n".encode())
        await finish(bench, run_id)
    await store.close()


async def finish(bench: AgentBench, run_id: str) -> None:
    while (state := await bench.work(run_id)).finished is None:
        for request in state.pending_approvals:
            await bench.decide(run_id, request.call_id, ApprovalDecision.APPROVED)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
