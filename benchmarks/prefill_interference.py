"""Measures what a long prompt does to others: to streams that are running, and to a short request behind it.

usage: python benchmarks/prefill_interference.py http://127.0.0.1:8000 [--mlx-lm http://127.0.0.1:8080]
           [--mlx-lm-model PATH] [--streams 4] [--prompt-tokens 6000] [--calm-s 10] [--repeats 3]

The first URL is a Cortex server (`cortex serve`), the other one, which takes turns with it, mlx-lm's own
(`mlx_lm.server --model PATH --port 8080`). Streams run for `--calm-s` seconds; then a long prompt arrives, and a second
later a short one. Prints one JSON object. `gap_ratio` is the streams' worst wait for a token until the long prompt is
answered, by their median wait before it came; `short_ttft_s` the short request's time to its first token.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

QUESTION = "Tell a very long story about a ship, chapter by chapter. Story number"
SHORT = "What is the capital of France? Question number"
LONG_WORDS = ("river", "stone", "cloud", "house", "tree", "light", "water", "road")
WARM_UP_TOKENS = 4
"""A stream's first ones are not measured."""
HEAD_START_S = 1.0

_numbers = itertools.count(time.time_ns())
"""No prompt begins like another, so that no server reuses one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to ask, and how.

    Attributes:
        url: Its address.
        path: Its path for streamed chats.
        model: What it calls the model; None leaves that out.
    """

    url: str
    path: str
    model: str | None

    async def tokens(self, client: httpx2.AsyncClient, text: str, *, max_tokens: int) -> AsyncIterator[float]:
        """Asks, and tells the moment of each piece of the answer."""
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": max_tokens,
            "temperature": 0.7,
            "top_p": 1.0,
            "stream": True,
        }
        if self.model is None:
            del body["stream"]
        else:
            body["model"] = self.model
        async with client.stream("POST", self.url + self.path, json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: {") and _has_text(json.loads(line[6:])):
                    yield time.perf_counter()


@dataclass(slots=True)
class Gaps:
    """Waits of running streams.

    Attributes:
        warm_up: How many come before what is measured.
        ended: When each ended and how long it was, in seconds.
        flow: Set after the first ones.
    """

    warm_up: int
    ended: list[tuple[float, float]] = field(default_factory=list)
    flow: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, moment_s: float, gap_s: float) -> None:
        """Notes a wait."""
        self.ended.append((moment_s, gap_s))
        if len(self.ended) >= self.warm_up:
            self.flow.set()

    def within(self, begin_s: float, end_s: float) -> list[float]:
        """Returns the waits that ended within a time."""
        return [gap_s for moment_s, gap_s in self.ended if begin_s <= moment_s <= end_s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    """One measurement of one server, in seconds."""

    usual_gap_s: float
    calm_worst_gap_s: float
    worst_gap_s: float
    short_ttft_s: float
    long_ttft_s: float

    @property
    def gap_ratio(self) -> float:
        """Worst wait by usual wait."""
        return self.worst_gap_s / self.usual_gap_s


async def main() -> None:
    """Runs the benchmark and prints its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cortex")
    parser.add_argument("--mlx-lm")
    parser.add_argument("--mlx-lm-model", default="default_model")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--prompt-tokens", type=int, default=6000)
    parser.add_argument("--calm-s", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    servers = {"cortex": Server(url=options.cortex, path="/api/chat/completions/stream", model=None)}
    if options.mlx_lm:
        servers["mlx_lm"] = Server(url=options.mlx_lm, path="/v1/chat/completions", model=options.mlx_lm_model)
    rounds = [
        {name: await _measure(server, options) for name, server in servers.items()} for _ in range(options.repeats)
    ]
    print(json.dumps(_summary(rounds, options), indent=2))  # noqa: T201


async def _measure(server: Server, options: argparse.Namespace) -> Interference:
    async with httpx2.AsyncClient(timeout=None) as client, _running(server, client, options.streams) as gaps:
        await gaps.flow.wait()
        calm_s = time.perf_counter()
        await asyncio.sleep(options.calm_s)
        long_s = time.perf_counter()
        long = asyncio.create_task(_first(server, client, _long_prompt(options.prompt_tokens)))
        await asyncio.sleep(HEAD_START_S)
        short_s = time.perf_counter()
        short_ended_s = await _first(server, client, f"{SHORT} {next(_numbers)}")
        long_ended_s = await long
    calm, busy = gaps.within(calm_s, long_s), gaps.within(long_s, long_ended_s)
    return Interference(
        usual_gap_s=statistics.median(calm),
        calm_worst_gap_s=max(calm),
        worst_gap_s=max(busy),
        short_ttft_s=short_ended_s - short_s,
        long_ttft_s=long_ended_s - long_s,
    )


@asynccontextmanager
async def _running(server: Server, client: httpx2.AsyncClient, streams: int) -> AsyncIterator[Gaps]:
    """Keeps so many answers running and notes their waits."""
    gaps = Gaps(warm_up=WARM_UP_TOKENS * streams)
    tasks = [asyncio.create_task(_keep_answering(server, client, gaps)) for _ in range(streams)]
    try:
        yield gaps
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _keep_answering(server: Server, client: httpx2.AsyncClient, gaps: Gaps) -> None:
    while True:
        before_s: float | None = None
        async for moment_s in server.tokens(client, f"{QUESTION} {next(_numbers)}", max_tokens=2000):
            if before_s is not None:
                gaps.add(moment_s, moment_s - before_s)
            before_s = moment_s


async def _first(server: Server, client: httpx2.AsyncClient, text: str) -> float:
    """Asks, and returns the moment of the first piece of the answer, or of the end of one without any."""
    moments = [moment_s async for moment_s in server.tokens(client, text, max_tokens=4)]
    return moments[0] if moments else time.perf_counter()


def _long_prompt(tokens: int) -> str:
    words = itertools.islice(itertools.cycle(LONG_WORDS), tokens - 60)
    return f"{next(_numbers)} {' '.join(words)}. How many words are these?"


def _has_text(event: dict[str, Any]) -> bool:
    if "choices" not in event:
        return bool(event["type"] == "text_delta")
    return any(choice.get("delta", {}).get("content") for choice in event["choices"])


def _summary(rounds: Sequence[dict[str, Interference]], options: argparse.Namespace) -> dict[str, object]:
    summary: dict[str, object] = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "streams": options.streams,
        "prompt_tokens": options.prompt_tokens,
        "repeats": len(rounds),
    }
    for name in rounds[0]:
        fields = ("usual_gap_s", "calm_worst_gap_s", "worst_gap_s", "gap_ratio", "short_ttft_s", "long_ttft_s")
        of_server = [measured[name] for measured in rounds]
        summary[name] = {
            label: round(statistics.median(getattr(one, label) for one in of_server), 3) for label in fields
        }
    if "mlx_lm" in rounds[0]:
        ratios = [measured["cortex"].short_ttft_s / measured["mlx_lm"].short_ttft_s for measured in rounds]
        summary["short_ttft_ratio"] = round(statistics.median(ratios), 4)
    return summary


if __name__ == "__main__":
    asyncio.run(main())
