"""How much of everything: a short form for every run of the tests, a long one for `make soak`."""

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What one form does.

    Attributes:
        is_long: Whether times are judged too: ratios, and the second after which nothing may be left over. The short
            form shares its machine with whatever else runs there, so it judges counts, contents and memory alone.
        streams: Clients of event streams at once.
        sockets: Clients of WebSocket at once.
        slow_readers: Readers that take 1 KB/s.
        stalled_readers: Readers that take nothing.
        gap_rounds: How often gaps with and without slow readers are compared.
        floods: Connections that flood the server.
        kills: How often the worker is killed.
        agent_kills: How often a program that works on agent runs is killed.
        agent_runs: Agent runs in which anything may happen, in one process.
        cancels: Generations that are started and cancelled.
        warm_up_requests: Requests before anything is measured.
        requests: Requests whose memory is measured.
    """

    is_long: bool
    streams: int
    sockets: int
    slow_readers: int
    stalled_readers: int
    gap_rounds: int
    floods: int
    kills: int
    agent_kills: int
    agent_runs: int
    cancels: int
    warm_up_requests: int
    requests: int


SHORT: Final = Scale(
    is_long=False,
    streams=100,
    sockets=20,
    slow_readers=10,
    stalled_readers=3,
    gap_rounds=1,
    floods=6,
    kills=3,
    agent_kills=6,
    agent_runs=250,
    cancels=60,
    warm_up_requests=2_000,
    requests=2_000,
)
LONG: Final = Scale(
    is_long=True,
    streams=500,
    sockets=100,
    slow_readers=50,
    stalled_readers=10,
    gap_rounds=5,
    floods=150,
    kills=100,
    agent_kills=200,
    agent_runs=5_000,
    cancels=1_000,
    warm_up_requests=5_000,
    requests=100_000,
)
SCALE: Final = LONG if os.environ.get("CORTEX_SOAK") else SHORT
