"""What the server logs of requests and generations, and that no prompt is among it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from cortex_adapters.fake import FakeTextGenerator, ScriptedReply
from cortex_domain.errors import ContractViolationError, GeneratorFailedError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_entrypoints.observation.log_lines import JsonLines
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server

CANARY = "canary-9f2c"
CHAT = "/api/chat/completions"
STREAM = "/api/chat/completions/stream"
OPENAI_CHAT = "/v1/chat/completions"
Lines = list[dict[str, Any]]


class _Collected(logging.Handler):
    def __init__(self, *, shows_messages: bool) -> None:
        super().__init__()
        self.setFormatter(JsonLines(shows_messages=shows_messages))
        self.lines: Lines = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] not in {"httpcore2", "httpx2", "websockets"}:  # the test's own clients
            self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """Everything that is logged, of whatever severity; a parameter tells whether messages are shown."""
    caplog.set_level(logging.DEBUG)
    handler = _Collected(shows_messages=getattr(request, "param", False))
    logging.getLogger().addHandler(handler)
    yield handler.lines
    logging.getLogger().removeHandler(handler)


def saying(lines: Lines, message: str) -> Lines:
    return [line for line in lines if line["message"] == message]


async def until_said(lines: Lines, message: str, *, times: int = 1) -> Lines:
    """Waits for it: a client has its answer a moment before the server is done with the request."""
    async with asyncio.timeout(20):
        while len(said := saying(lines, message)) < times:
            await asyncio.sleep(0.005)
    return said


class _Clumsy(FakeTextGenerator):
    """Fails like a library that quotes what it was given."""

    def generate_text(self, request: GenerationRequest, /) -> Any:
        return self._fail(request)

    @asynccontextmanager
    async def _fail(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        if "at once" in request.messages[0].text:
            raise KeyError(request.messages[0].text)
        async with super().generate_text(request) as events:
            yield self._some(events, request)

    async def _some(
        self, events: AsyncIterator[GenerationEvent], request: GenerationRequest
    ) -> AsyncIterator[GenerationEvent]:
        yield await anext(events)
        raise ValueError(request.messages[0].text)


async def test_a_request_and_its_generation(server: LiveServer, lines: Lines) -> None:
    response = await server.client.post(STREAM, json=HELLO | {"owner": "alice"}, headers={"X-Request-Id": "call-7"})
    assert response.headers["X-Request-Id"] == "call-7"
    [generation] = saying(lines, "generation finished")
    started = json.loads(response.text.partition("data: ")[2].partition("\n")[0])
    expected = {
        "generation_id": started["generation_id"],
        "model": "fake/echo",
        "owner": "alice",
        "prompt_tokens": 4,
        "cached_prompt_tokens": 0,
        "completion_tokens": 4,
        "finish_reason": "stop",
        "request_id": "call-7",
    }
    assert {name: generation[name] for name in expected} == expected
    assert 0 < generation["first_token_ms"] <= generation["total_ms"]
    assert generation["queue_ms"] + generation["prefill_ms"] <= generation["total_ms"]
    [request] = await until_said(lines, "HTTP request ended")
    assert (request["method"], request["route"], request["status"]) == ("POST", STREAM, 200)
    assert request["request_id"] == "call-7"
    assert request["duration_ms"] >= generation["total_ms"]


async def test_a_refusal(server: LiveServer, lines: Lines) -> None:
    response = await server.client.post(CHAT, json=HELLO | {"model": "not/here"})
    request_id = response.headers["X-Request-Id"]
    [generation] = saying(lines, "generation failed")
    assert (generation["code"], generation["request_id"]) == ("model_not_found", request_id)
    assert "model" not in generation
    [request] = await until_said(lines, "HTTP request ended")
    assert (request["status"], request["request_id"]) == (404, request_id)


async def test_ids_do_not_mix(server: LiveServer, lines: Lines) -> None:
    ids = [f"call-{number}" for number in range(20)]
    await asyncio.gather(*(server.client.post(CHAT, json=HELLO, headers={"X-Request-Id": name}) for name in ids))
    assert sorted(line["request_id"] for line in saying(lines, "generation finished")) == sorted(ids)
    ended = await until_said(lines, "HTTP request ended", times=20)
    assert sorted(line["request_id"] for line in ended) == sorted(ids)


async def test_a_socket_has_one_id(server: LiveServer, lines: Lines) -> None:
    async with websockets.connect(
        server.socket_url, proxy=None, additional_headers={"X-Request-Id": "socket-1"}
    ) as connection:
        assert connection.response is not None
        assert connection.response.headers["X-Request-Id"] == "socket-1"
        for _ in range(2):
            await connection.send(json.dumps({"type": "chat", **HELLO}))
            while json.loads(await connection.recv())["type"] != "done":
                pass
    ended = await until_said(lines, "WebSocket connection ended")
    ended += saying(lines, "generation finished")
    assert [line["request_id"] for line in ended] == ["socket-1"] * 3


async def test_what_programs_ask_for_all_the_time_is_debug(server: LiveServer, lines: Lines) -> None:
    await server.client.get("/metrics")
    await server.client.get("/api/health")
    await server.client.get("/api/models")
    levels = [(line["route"], line["level"]) for line in await until_said(lines, "HTTP request ended", times=3)]
    assert levels == [("/metrics", "DEBUG"), ("/api/health", "DEBUG"), ("/api/models", "INFO")]


async def _through_every_door(server: LiveServer) -> None:
    chat = {"model": "fake/echo", "messages": [{"role": "user", "content": CANARY}]}
    bad_bodies: list[Any] = [
        chat | {CANARY: 1},
        chat | {"temperature": CANARY},
        chat | {"model": f"{CANARY}/x"},
        chat | {"model": f"{CANARY} {CANARY}"},
        chat | {"max_tokens": 10**9},
        {"messages": [{"role": CANARY, "content": CANARY}]},
        {"messages": [{"role": "user", "content": [{"type": CANARY}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": CANARY}}]}]},
        [CANARY],
        CANARY,
    ]
    for path in (CHAT, STREAM, OPENAI_CHAT):
        for body in [chat, chat | {"stream": True}, *bad_bodies]:
            await server.client.post(path, json=body, headers={"X-Request-Id": f"{CANARY} {CANARY}"})
        json_type = {"Content-Type": "application/json"}
        await server.client.post(path, content=f'{{"{CANARY}": NaN'.encode(), headers=json_type)
        await server.client.post(path, content=f"{CANARY}\xff".encode("latin-1"), headers=json_type)
        await server.client.post(path, content=CANARY.encode(), headers={"Content-Type": "text/plain"})
    await server.client.get(f"/{CANARY}?{CANARY}")
    await server.client.get(f"/api/models/{CANARY}/x")
    await server.client.get("/api/health", headers={"Host": CANARY, "Origin": CANARY})
    async with websockets.connect(server.socket_url, proxy=None) as connection:
        messages = [{"type": "chat", **chat}, {"type": CANARY}, {"type": "cancel", "request_id": CANARY}]
        messages += [{"type": "chat", **body} for body in bad_bodies if isinstance(body, dict)]
        for message in messages:
            await connection.send(json.dumps(message))
            while json.loads(await connection.recv())["type"] not in {"done", "error"}:
                pass
        await connection.send(CANARY)
        await connection.recv()


def _adapters(kind: str) -> FakeAdapters:
    adapters = FakeAdapters()
    if kind == "clumsy":
        adapters.generator = _Clumsy(loader=adapters.loader, clock=adapters.clock)
    if kind == "failing":
        reply = ScriptedReply(pieces=(CANARY,), failure=GeneratorFailedError("It fell over."))
        adapters = FakeAdapters(script=[reply] * 100)
    if kind == "unruly":
        reply = ScriptedReply(pieces=(CANARY,), failure=ContractViolationError("It did not end."))
        adapters = FakeAdapters(script=[reply] * 100)
    return adapters


@pytest.mark.parametrize("kind", ["echo", "clumsy", "failing", "unruly"])
async def test_no_door_lets_a_prompt_into_the_log(kind: str, lines: Lines) -> None:
    async with live_server(adapters=_adapters(kind)) as server:
        await _through_every_door(server)
    assert len(saying(lines, "HTTP request ended")) > 20
    assert [line for line in lines if CANARY in str(line)] == []


@pytest.mark.parametrize("lines", [True], indirect=True)
async def test_debug_lets_it(lines: Lines) -> None:
    async with live_server(adapters=_adapters("clumsy"), debug=True) as server:
        await _through_every_door(server)
    assert any(CANARY in str(line["texts"]) for line in saying(lines, "prompt"))
    assert any(CANARY in line.get("exception", "") for line in lines)
