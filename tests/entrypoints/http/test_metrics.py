"""GET /metrics: what happened is what it says, and what it says is documented."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import websockets
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from cortex_adapters.fake import FakeModelLoader, FakeTextGenerator, FakeToolProvider, ScriptedReply, ScriptedToolUse
from cortex_adapters.system.clock import SystemClock
from cortex_domain.engine_status import Device, EngineStatus
from cortex_domain.errors import GeneratorBusyError, GeneratorFailedError, ToolFailedError
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_domain.generation import CacheMiss, CacheMissReason, GenerationRequest
from cortex_domain.ports import EngineMonitor
from cortex_domain.tool_execution import ToolDescriptor
from cortex_domain.tools import ToolDefinition
from cortex_entrypoints.http.request_watch import RequestWatch
from cortex_entrypoints.observation.agent_run_metrics import AgentRunCollector
from cortex_entrypoints.observation.metrics import Metrics
from cortex_entrypoints.tool_tally import ToolTally
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.stream_client import read_cut, read_on, reset

DOCUMENT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
STREAM = "/api/chat/completions/stream"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(server: LiveServer) -> Samples:
    text = (await server.client.get("/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def read(server: LiveServer) -> Samples:
    """Reads the metrics once every earlier answer is done with, a moment after its client has it."""
    async with asyncio.timeout(20):
        while value(samples := await scrape(server), "http_requests_in_flight") > 1:
            await asyncio.sleep(0.005)
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"cortex_{name}", tuple(sorted(labels.items()))), 0.0)


def endless() -> FakeAdapters:
    return FakeAdapters(script=[ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.005)] * 10)


async def test_uses_of_tools() -> None:
    script = {"work": [ScriptedToolUse(error=ToolFailedError("no")), ScriptedToolUse()]}
    clock = SystemClock()
    tools = FakeToolProvider([ToolDescriptor(definition=ToolDefinition(name="work"))], clock=clock, script=script)
    async with live_server(adapters=FakeAdapters(tools=tools, clock=clock)) as server:
        for _ in range(3):
            await server.client.post("/api/tools/work/invoke")
        samples = await read(server)
    assert value(samples, "tool_uses_total", tool="work", outcome="ok") == 2
    assert value(samples, "tool_uses_total", tool="work", outcome="failed") == 1
    assert value(samples, "tool_use_seconds_total", tool="work") > 0


async def test_a_complete_answer(server: LiveServer) -> None:
    await server.client.post("/api/chat/completions", json=HELLO)
    await server.client.post(STREAM, json=HELLO | {"max_tokens": 2})
    samples = await read(server)
    echo = {"model": "fake/echo"}
    assert value(samples, "generations_finished_total", finish_reason="stop", **echo) == 1
    assert value(samples, "generations_finished_total", finish_reason="length", **echo) == 1
    assert value(samples, "prompt_tokens_total", **echo) == 8
    assert value(samples, "completion_tokens_total", **echo) == 6
    assert value(samples, "cached_prompt_tokens_total", **echo) == 0
    for name in ("time_to_first_token", "queue", "prefill", "generation_duration"):
        assert value(samples, f"{name}_seconds_count", **echo) == 2, name
    assert value(samples, "inter_token_seconds_count", **echo) == 3
    assert value(samples, "time_to_first_token_seconds_sum", **echo) > 0
    assert value(samples, "generations_in_flight") == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_in_another_dialect(server: LiveServer, stream: bool) -> None:
    await server.client.post("/v1/chat/completions", json=HELLO | {"model": "fake/echo", "stream": stream})
    samples = await read(server)
    assert value(samples, "generations_finished_total", finish_reason="stop", model="fake/echo") == 1


async def test_times_add_up() -> None:
    reply = ScriptedReply(pieces=("a ", "b ", "c"), first_delay_s=0.02, delay_s=0.01)
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        await server.client.post(STREAM, json=HELLO)
        samples = await read(server)
    first_s, gaps_s, whole_s = (
        value(samples, f"{name}_seconds_sum", model="fake/echo")
        for name in ("time_to_first_token", "inter_token", "generation_duration")
    )
    assert first_s >= 0.02
    assert gaps_s >= 0.02
    assert first_s + gaps_s <= whole_s


async def test_requests_by_route(server: LiveServer) -> None:
    await server.client.get("/api/models/fake__echo")
    await server.client.get("/api/models/fake/parrot")
    await server.client.get("/api/nothing")
    await server.client.request("BREW", "/api/nothing")
    await server.client.post(STREAM, json={})
    samples = await read(server)
    requests = {labels: count for (name, labels), count in samples.items() if name == "cortex_http_requests_total"}
    assert {tuple(dict(labels).values()): count for labels, count in requests.items()} == {
        ("GET", "/api/models/<model:model_id>", "200"): 2,
        ("GET", "unmatched", "404"): 1,
        ("other", "unmatched", "404"): 1,
        ("POST", STREAM, "400"): 1,
    }
    assert value(samples, "http_request_duration_seconds_count", method="POST", route=STREAM) == 1
    assert value(samples, "http_requests_in_flight") == 1  # the one that asks


async def test_what_a_client_makes_up_makes_no_series(server: LiveServer) -> None:
    before = set(await read(server)) | set(await read(server))
    for number in range(5):
        await server.client.post(STREAM, json=HELLO | {"model": f"made/up{number}", "owner": f"somebody{number}"})
        await server.client.get(f"/made/up{number}", headers={"Host": f"made-up{number}"})
    after = set(await read(server))
    assert not any("made" in str(key) or "somebody" in str(key) for key in after)
    new = {labels for name, labels in after - before if name == "cortex_generations_failed_total"}
    assert new == {(("code", "model_not_found"), ("reason", ""))}


async def test_failures_by_code() -> None:
    replies = [
        ScriptedReply(refusal=GeneratorFailedError("It fell over.")),
        ScriptedReply(refusal=GeneratorBusyError("Too many.")),
        ScriptedReply(pieces=("a ", "b "), failure=GeneratorFailedError("It fell over.")),
    ]
    async with live_server(adapters=FakeAdapters(script=replies)) as server:
        for _ in replies:
            await server.client.post(STREAM, json=HELLO)
        await server.client.post(STREAM, json=HELLO | {"model": "not/here"})
        samples = await read(server)
    assert value(samples, "generations_failed_total", code="generator_busy", reason="queue_full") == 1
    assert value(samples, "generations_failed_total", code="generator_failed", reason="") == 2
    assert value(samples, "generations_failed_total", code="model_not_found", reason="") == 1
    assert value(samples, "generations_in_flight") == 0


async def test_a_client_that_leaves() -> None:
    async with live_server(adapters=endless()) as server:
        async with server.client.stream("POST", STREAM, json=HELLO):
            await server.until_busy()
            samples = await scrape(server)
            assert value(samples, "generations_in_flight") == 1
            assert value(samples, "engine_active_requests") == 1
        await server.until_idle()
        samples = await read(server)
    assert value(samples, "generations_cancelled_total", cause="client_left") == 1
    assert value(samples, "generations_in_flight") == 0


async def test_a_client_that_leaves_before_an_answer() -> None:
    adapters = FakeAdapters(script=[ScriptedReply(pieces=("a",), first_delay_s=1000)])
    async with live_server(adapters=adapters) as server:
        asking = asyncio.create_task(server.client.post("/api/chat/completions", json=HELLO))
        await server.until_busy()
        asking.cancel()
        await server.until_idle()
        await asyncio.wait({asking})
        samples = await read(server)
    assert value(samples, "generations_cancelled_total", cause="client_left") == 1
    route = "/api/chat/completions"
    assert value(samples, "http_requests_total", method="POST", route=route, status="none") == 1


async def test_a_client_that_cancels_and_one_that_drops_its_socket() -> None:
    async with live_server(adapters=endless()) as server:
        async with websockets.connect(server.socket_url, proxy=None) as connection:
            for request_id in ("a", "b"):
                await connection.send(json.dumps({"type": "chat", "request_id": request_id, **HELLO}))
            await server.until_busy(2)
            assert value(await read(server), "websocket_connections") == 1
            await connection.send(json.dumps({"type": "cancel", "request_id": "a"}))
            while value(await read(server), "generations_in_flight") == 2:
                await asyncio.sleep(0.005)
        await server.until_idle()
        while value(samples := await read(server), "websocket_connections"):
            await asyncio.sleep(0.005)
    assert value(samples, "generations_cancelled_total", cause="client_cancelled") == 1
    assert value(samples, "generations_cancelled_total", cause="client_left") == 1


@pytest.mark.parametrize("path", [STREAM, "/api/chat/completions"])
async def test_a_server_that_stops(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cortex_entrypoints")
    async with live_server(adapters=endless(), shutdown_grace_s=0) as server:
        asking = asyncio.create_task(server.client.post(path, json=HELLO))
        await server.until_busy()
        server.stop.set()
        await server.ended
        await asyncio.wait({asking})
    [ended] = [record for record in caplog.records if record.message == "generation cancelled"]
    assert vars(ended)["facts"]["cause"] == "server_stopped"


async def test_the_engine(server: LiveServer) -> None:
    samples = await read(server)
    assert value(samples, "engine_up") == 1
    assert value(samples, "models_loaded") == 0
    await server.client.post("/api/chat/completions", json=HELLO)
    server.adapters.monitor.failure = "The engine ended."
    samples = await read(server)
    assert value(samples, "engine_up") == 0
    assert value(samples, "models_loaded") == 1
    assert value(samples, "engine_memory_active_bytes") == value(samples, "engine_memory_peak_bytes") == 1_000_000
    assert value(samples, "event_loop_tasks") > 3


async def test_both_formats(server: LiveServer) -> None:
    await server.client.post("/api/chat/completions", json=HELLO)
    openmetrics = await server.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(openmetrics.text)  # type: ignore[no-untyped-call]
    assert "cortex_generations_finished" in {family.name for family in families}
    assert (await server.client.get("/metrics")).headers["Content-Type"].startswith("text/plain; version=")


async def test_a_stranger_gets_none(server: LiveServer) -> None:
    assert (await server.client.get("/metrics", headers={"Host": "evil.example"})).status_code == 421


class _Broken(EngineMonitor):
    restarts = 3

    def status(self) -> EngineStatus:
        return EngineStatus(
            device=Device.CPU,
            waiting_requests=7,
            restarts=self.restarts,
            prefix_cache_memory_bytes=40,
            prefix_cache_disk_bytes=70,
            prompt_tokens=12,
            cached_prompt_tokens=5,
        )


def test_the_queue_and_restarts() -> None:
    registry = Metrics(
        engine_monitor=_Broken(), loaded_models=FakeModelLoader().loaded, tool_tally=ToolTally()
    ).registry
    assert registry.get_sample_value("cortex_engine_waiting_requests") == 7
    assert registry.get_sample_value("cortex_engine_restarts_total") == 3
    assert registry.get_sample_value("cortex_event_loop_tasks") == 0


def test_what_is_kept_of_prompts() -> None:
    registry = Metrics(
        engine_monitor=_Broken(), loaded_models=FakeModelLoader().loaded, tool_tally=ToolTally()
    ).registry
    assert registry.get_sample_value("cortex_prefix_cache_bytes", {"tier": "memory"}) == 40
    assert registry.get_sample_value("cortex_prefix_cache_bytes", {"tier": "disk"}) == 70
    assert registry.get_sample_value("cortex_prefix_cache_prompt_tokens_total") == 12
    assert registry.get_sample_value("cortex_prefix_cache_hit_tokens_total") == 5


class _Reusing(FakeTextGenerator):
    """Says that it reused a part of each prompt, and why not more."""

    def generate_text(self, request: GenerationRequest, /) -> Any:
        return self._reuse(request)

    @asynccontextmanager
    async def _reuse(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with super().generate_text(request) as events:
            yield self._with_reuse(events)

    async def _with_reuse(self, events: AsyncIterator[GenerationEvent]) -> AsyncIterator[GenerationEvent]:
        miss = CacheMiss(reason=CacheMissReason.DIVERGED, message_index=0, token_position=3)
        async for event in events:
            if isinstance(event, GenerationFinished):
                yield replace(event, usage=replace(event.usage, cached_prompt_tokens=3, cache_miss=miss))
            else:
                yield event


async def test_prompts_that_were_computed_before() -> None:
    adapters = FakeAdapters()
    adapters.generator = _Reusing(loader=adapters.loader, clock=adapters.clock)
    async with live_server(adapters=adapters) as server:
        await server.client.post("/api/chat/completions", json=HELLO)
        samples = await read(server)
    echo = {"model": "fake/echo"}
    assert value(samples, "cached_prompt_tokens_total", **echo) == 3
    assert value(samples, "prefix_cache_hits_total", **echo) == 1
    assert value(samples, "prefix_cache_misses_total", reason="diverged", **echo) == 1


def test_every_metric_is_documented_as_it_is() -> None:
    registry = Metrics(
        engine_monitor=_Broken(), loaded_models=FakeModelLoader().loaded, tool_tally=ToolTally()
    ).registry
    registry.register(AgentRunCollector(FakeAdapters().wire().agent_runs))
    families = {family.name: family for family in registry.collect() if family.name.startswith("cortex_")}
    rows = re.findall(r"^\| `(cortex_\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE)
    shown = {
        family.name + {"counter": "_total", "info": "_info"}.get(family.type, ""): family.type.replace("info", "gauge")
        for family in families.values()
    }
    assert dict(rows) == shown
    assert len(rows) == len(shown)


async def test_every_label_is_documented(server: LiveServer) -> None:
    await server.client.post("/api/chat/completions", json=HELLO)
    await server.client.post(STREAM, json={})
    rows = re.findall(r"^\| `(cortex_\w+)` \| \w+ \|([^|]*)\|", DOCUMENT, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    for name, labels in await read(server):
        plain = re.sub(r"_(bucket|sum|count|created)$", "", name)
        if plain in documented:
            assert {label for label, _ in labels} - {"le"} == documented[plain], name


async def test_units_are_in_the_names() -> None:
    names = set(re.findall(r"^\| `(cortex_\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE))
    assert all(name.endswith("_total") for name, kind in names if kind == "counter")
    assert all(name.endswith("_seconds") for name, kind in names if kind == "histogram")


async def test_a_lifespan_is_no_request() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    metrics = Metrics(engine_monitor=_Broken(), loaded_models=FakeModelLoader().loaded, tool_tally=ToolTally())
    watch = RequestWatch(app, metrics=metrics, monotonic_s=lambda: 0.0)
    scope: Any = {"type": "lifespan"}
    no_channel: Any = None
    await watch(scope, no_channel, no_channel)
    assert seen == [scope]
    assert metrics.registry.get_sample_value("cortex_http_requests_in_flight") == 0


async def test_a_generation_that_is_resumed() -> None:
    reply = ScriptedReply(pieces=("a ", "b ", "c ", "d"), delay_s=0.05)
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        seen = await read_cut(server, 4, reset)
        await read_on(server, seen[0].data["generation_id"], seen[-1].sequence)
        samples = await read(server)
    assert value(samples, "generations_cancelled_total", cause="client_left") == 1
    assert value(samples, "generations_resumed_total") == 1
    echo = {"model": "fake/echo"}
    assert value(samples, "generations_finished_total", finish_reason="stop", **echo) == 1
    assert value(samples, "completion_tokens_total", **echo) == 5
    assert value(samples, "time_to_first_token_seconds_count", **echo) == 1
    assert value(samples, "inter_token_seconds_count", **echo) == 2
    assert value(samples, "generations_in_flight") == 0
