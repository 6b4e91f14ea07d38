"""A server in a process of its own, looked at from outside: what it says of itself, and what the system says of it."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.live_process import live_process

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 60.0
"""After which what does not come is taken for what never comes."""


class WatchedProcess:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        process: Its process.
    """

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.process = psutil.Process(pid)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Where it listens for WebSocket."""
        return f"ws://127.0.0.1:{self.port}/api/chat/ws"

    def memory_bytes(self) -> int:
        """Resident memory of the process."""
        rss: int = self.process.memory_info().rss
        return rss

    def worker(self) -> psutil.Process | None:
        """The process that computes; None while there is none."""
        children = self.process.children()
        return next((child for child in children if "cortex_adapters.mlx.worker" in _command(child)), None)

    async def metric(self, name: str, **labels: str) -> float:
        """Reads a metric; the sum over the labels that are not given, 0 when it has no value yet."""
        async with httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE_S) as client:
            text = (await client.get(f"{self.url}/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until(self, holds: Callable[[float], bool], name: str, **labels: str) -> float:
        """Waits until a metric is as it shall be and returns it; raises `TimeoutError` when it never is."""
        async with asyncio.timeout(_PATIENCE_S):
            while not holds(value := await self.metric(name, **labels)):
                await asyncio.sleep(0.02)
        return value

    async def settled(self) -> "Footprint":
        """Waits until nothing is going on and tells what the server holds then."""
        await self.until(lambda count: count == 0, "cortex_generations_in_flight")
        await self.until(lambda count: count == 0, "cortex_engine_active_requests")
        await self.until(lambda count: count == 0, "cortex_websocket_connections")
        await self.until(lambda count: count == 1, "cortex_http_requests_in_flight")  # the one that asks
        return await self._footprint()

    async def until_as(self, before: "Footprint") -> None:
        """Waits until the server holds no more than it held before; fails when it always does."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while (now := await self.settled()).exceeds(before) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.1)
        assert not now.exceeds(before), (now, before)

    async def _footprint(self) -> "Footprint":
        return Footprint(
            tasks=int(await self.metric("cortex_event_loop_tasks")), files=int(await self.metric("process_open_fds"))
        )


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        command: list[str] = process.cmdline()
        return command
    return []


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What an idle server holds.

    Attributes:
        tasks: Tasks of its event loop, those of the connection that asks included.
        files: File descriptors, likewise.
    """

    tasks: int
    files: int

    def exceeds(self, other: "Footprint") -> bool:
        """Tells whether this is more of anything."""
        return self.tasks > other.tasks or self.files > other.files


@asynccontextmanager
async def cortex_server(**settings: str) -> AsyncIterator[WatchedProcess]:
    """Runs `cortex serve`."""
    with live_process(settings) as running:
        yield WatchedProcess(int(running.url.rpartition(":")[2]), running.process.pid)


@asynccontextmanager
async def paced_server() -> AsyncIterator[WatchedProcess]:
    """Runs a `paced_server`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src")))}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.reliability.paced_server"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert child.stdout is not None
    try:
        yield WatchedProcess(int(await child.stdout.readline()), child.pid)
    finally:
        child.kill()
        await child.communicate()
