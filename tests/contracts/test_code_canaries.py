"""What looks from outside sees what there is."""

import asyncio
import sys

import psutil

from cortex_contracts import code_canaries


async def test_a_process_that_has_ended_does_not_run() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    seen = psutil.Process(process.pid)
    assert code_canaries._runs(seen)
    await process.communicate(b"\n")
    assert not code_canaries._runs(seen)
