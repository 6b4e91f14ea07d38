"""Chats over WebSocket, through a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import websockets

from cortex_adapters.fake import ScriptedReply
from cortex_domain.errors import GeneratorBusyError, GeneratorFailedError
from cortex_entrypoints.http.chat_socket import MAX_CHATS
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.malformed import MALFORMED_JSON
from tests.entrypoints.http.sse import parse_frames

ENDLESS = ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.005)


class Connection:
    """A client's end of a connection."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.raw = connection

    async def send(self, **message: Any) -> None:
        await self.raw.send(json.dumps(message))

    async def chat(self, request_id: str | None = None, **fields: Any) -> None:
        named = {} if request_id is None else {"request_id": request_id}
        await self.send(type="chat", **HELLO, **named, **fields)

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            event: dict[str, Any] = json.loads(await self.raw.recv())
        return event

    async def until_end(self, *request_ids: str) -> dict[str, list[dict[str, Any]]]:
        """Reads until each of these chats has ended; returns their events."""
        events: dict[str, list[dict[str, Any]]] = {request_id: [] for request_id in request_ids}
        open_chats = set(request_ids)
        while open_chats:
            event = await self.receive()
            events.setdefault(event.get("request_id", ""), []).append(event)
            if event["type"] in ("done", "error"):
                open_chats.discard(event.get("request_id", ""))
        return events


@asynccontextmanager
async def connect(server: LiveServer) -> AsyncIterator[Connection]:
    async with websockets.connect(server.socket_url, proxy=None, close_timeout=1) as connection:
        yield Connection(connection)


async def test_a_chat(server: LiveServer) -> None:
    async with connect(server) as connection:
        await connection.chat("first")
        events = (await connection.until_end("first"))["first"]
    assert [event["sequence"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events] == ["started", *["prefill_progress"] * 2, *["text_delta"] * 3, "done"]
    assert "".join(event.get("text", "") for event in events) == "Hello there, Cortex."
    assert events[-1]["usage"]["total_tokens"] == 8
    assert events[-1]["timings"]["tokens_per_second"] > 0


async def test_a_chat_without_an_id_gets_one(server: LiveServer) -> None:
    async with connect(server) as connection:
        await connection.chat()
        request_id = (await connection.receive())["request_id"]
        await connection.chat()
        events = await connection.until_end(request_id)
    assert request_id.startswith("req_")
    assert request_id not in events.keys() - {request_id}


async def test_an_id_may_be_used_again(server: LiveServer) -> None:
    async with connect(server) as connection:
        for _ in range(3):
            await connection.chat("again")
            assert (await connection.until_end("again"))["again"][-1]["type"] == "done"


async def test_chats_run_side_by_side() -> None:
    replies = [ScriptedReply(pieces=(f"{number} ",) * 20, delay_s=0.005) for number in range(3)]
    async with live_server(adapters=FakeAdapters(script=replies)) as server, connect(server) as connection:
        for request_id in "abc":
            await connection.chat(request_id)
        order = []
        events: list[dict[str, Any]] = []
        while sum(event["type"] == "done" for event in events) < 3:
            events.append(await connection.receive())
            order.append(events[-1]["request_id"])
    assert order != sorted(order)
    for request_id in "abc":
        own = [event for event in events if event["request_id"] == request_id]
        assert [event["sequence"] for event in own] == list(range(len(own)))
        assert len({event["text"] for event in own if event["type"] == "text_delta"}) == 1


async def test_cancel() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 2)) as server, connect(server) as connection:
        await connection.chat("a")
        await connection.chat("b")
        await server.until_busy(2)
        await connection.send(type="cancel", request_id="a")
        events = (await connection.until_end("a"))["a"]
        assert events[-1]["type"] == "done"
        assert events[-1]["finish_reason"] == "cancelled"
        assert (events[-1]["usage"], events[-1]["timings"]) == (None, None)
        assert server.adapters.monitor.status().active_requests == 1
        assert (await connection.receive())["request_id"] == "b"


async def test_cancel_before_the_chat_could_begin() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 20)) as server, connect(server) as connection:
        for number in range(10):
            await connection.chat(f"{number}")
            await connection.send(type="cancel", request_id=f"{number}")
        events = await connection.until_end(*map(str, range(10)))
        await server.until_idle()
    assert all(chat[-1]["finish_reason"] == "cancelled" for chat in events.values())


async def test_cancelling_twice_ends_a_chat_once() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server, connect(server) as connection:
        await connection.chat("a")
        await server.until_busy()
        await connection.send(type="cancel", request_id="a")
        await connection.send(type="cancel", request_id="a")
        await connection.until_end("a")
        await connection.send(type="ping")
        rest = [await connection.receive()]
        while rest[-1]["type"] != "pong":
            rest.append(await connection.receive())
    assert not [event for event in rest if event.get("request_id") == "a"]


async def test_ping(server: LiveServer) -> None:
    async with connect(server) as connection:
        await connection.send(type="ping")
        assert await connection.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("message", "code", "param", "request_id"),
    [
        ([1], "invalid_request", None, None),
        ("ping", "invalid_request", None, None),
        ({}, "invalid_request", "type", None),
        ({"type": 5}, "invalid_request", "type", None),
        ({"type": "hello"}, "invalid_request", "type", None),
        ({"type": "ping", "extra": 1}, "invalid_request", "extra", None),
        ({"type": "cancel"}, "invalid_request", "request_id", None),
        ({"type": "cancel", "request_id": "nobody"}, "unknown_request_id", None, None),
        ({"type": "chat"}, "invalid_request", "messages", None),
        ({"type": "chat", "request_id": "x"}, "invalid_request", "messages", "x"),
        ({"type": "chat", "request_id": "", **HELLO}, "invalid_request", "request_id", None),
        ({"type": "chat", "request_id": "x" * 129, **HELLO}, "invalid_request", "request_id", None),
        ({"type": "chat", "request_id": 5, **HELLO}, "invalid_request", "request_id", None),
        ({"type": "chat", "request_id": "x", **HELLO, "temperature": 9}, "invalid_request", "temperature", "x"),
        ({"type": "chat", "request_id": "x", **HELLO, "tools": [{}]}, "invalid_request", "tools.0.name", "x"),
        ({"type": "chat", "request_id": "x", **HELLO, "model": "no/such"}, "model_not_found", None, "x"),
        ({"type": "chat", "request_id": "x", **HELLO, "max_tokens": 9999}, "context_window_exceeded", None, "x"),
    ],
)
async def test_a_bad_message_is_answered_and_the_connection_lives_on(
    server: LiveServer, *, message: Any, code: str, param: str | None, request_id: str | None
) -> None:
    async with connect(server) as connection:
        await connection.raw.send(json.dumps(message))
        event = await connection.receive()
        assert (event["type"], event["error"]["code"], event["error"].get("param")) == ("error", code, param)
        assert event.get("request_id") == request_id
        await connection.chat("next")
        assert (await connection.until_end("next"))["next"][-1]["type"] == "done"


async def test_texts_that_are_not_json_are_answered(server: LiveServer) -> None:
    async with connect(server) as connection:
        for data in MALFORMED_JSON.values():
            await connection.raw.send(data)
            assert (await connection.receive())["error"]["code"] == "malformed_json"
        await connection.send(type="ping")
        assert await connection.receive() == {"type": "pong"}


async def test_an_empty_binary_message_is_answered(server: LiveServer) -> None:
    """Autobahn's case 1.2.1, on which Quart fails by itself."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.socket_url) as connection:
        await connection.send_bytes(b"")
        assert (await connection.receive_json())["error"]["code"] == "malformed_json"
        await connection.send_bytes(b'{"type": "ping"}')
        assert await connection.receive_json() == {"type": "pong"}


async def test_an_id_that_is_in_use_is_refused_and_the_chat_goes_on() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server, connect(server) as connection:
        await connection.chat("a")
        await server.until_busy()
        await connection.chat("a")
        events = await connection.until_end("")
        assert events[""][0]["error"]["code"] == "duplicate_request_id"
        assert events[""][0]["error"]["details"] == {"request_id": "a"}
        assert (await connection.receive())["type"] != "error"
        assert server.adapters.monitor.status().active_requests == 1


async def test_a_connection_runs_so_many_chats_and_no_more() -> None:
    async with (
        live_server(adapters=FakeAdapters(script=[ENDLESS] * MAX_CHATS)) as server,
        connect(server) as connection,
    ):
        for number in range(MAX_CHATS + 1):
            await connection.chat(f"{number}")
        refused = (await connection.until_end(f"{MAX_CHATS}"))[f"{MAX_CHATS}"]
        assert [event["error"]["code"] for event in refused] == ["too_many_chats"]
        await server.until_busy(MAX_CHATS)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(GeneratorFailedError("The engine failed."), "generator_failed"), (RuntimeError("secret"), "internal_error")],
)
async def test_a_failure_ends_its_chat_only(failure: Any, code: str) -> None:
    replies: list[ScriptedReply | str] = [ScriptedReply(pieces=("one",), failure=failure), "two"]
    async with live_server(adapters=FakeAdapters(script=replies)) as server, connect(server) as connection:
        await connection.chat("a")
        events = (await connection.until_end("a"))["a"]
        await connection.chat("b")
        assert (await connection.until_end("b"))["b"][-1]["type"] == "done"
    assert events[-1]["error"]["code"] == code
    assert "secret" not in str(events)
    assert [event["sequence"] for event in events] == list(range(len(events)))


SLOW = ScriptedReply(pieces=tuple(f"word{number} " for number in range(8)), delay_s=0.02)


def _together(*parts: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(event["sequence"], event.get("text", "")) for part in parts for event in part]


@pytest.mark.parametrize("events_read", range(1, 10))
async def test_a_chat_goes_on_over_another_connection(events_read: int) -> None:
    async with live_server(adapters=FakeAdapters(script=[SLOW])) as server:
        async with connect(server) as connection:
            await connection.chat("first")
            seen = [await connection.receive() for _ in range(events_read)]
            connection.raw.transport.abort()
        await server.until_idle()
        async with connect(server) as connection:
            generation_id, last = seen[0]["generation_id"], seen[-1]["sequence"]
            await connection.send(type="resume", generation_id=generation_id, last_sequence=last, request_id="second")
            rest = (await connection.until_end("second"))["second"]
    texts = ["", "", "", *SLOW.pieces, ""]
    assert _together(seen, rest) == list(enumerate(texts))
    assert rest[-1]["type"] == "done"


async def test_a_stream_is_resumed_over_websocket_and_a_chat_over_http(server: LiveServer) -> None:
    streamed = parse_frames((await server.client.post("/api/chat/completions/stream", json=HELLO)).text)
    async with connect(server) as connection:
        await connection.send(type="resume", generation_id=streamed[0].data["generation_id"])
        first = await connection.receive()
        replayed = [first, *(await connection.until_end(first["request_id"]))[first["request_id"]]]
        await connection.chat("chat")
        chat = (await connection.until_end("chat"))["chat"]
    assert [event["sequence"] for event in replayed] == [frame.sequence for frame in streamed]
    path = f"/api/generations/{chat[0]['generation_id']}/events"
    read = parse_frames((await server.client.get(path, headers={"Last-Event-ID": "2"})).text)
    assert [frame.data.get("text") for frame in read] == [event.get("text") for event in chat[3:]]


async def test_a_resume_that_cannot_be_is_answered(server: LiveServer) -> None:
    async with connect(server) as connection:
        await connection.chat("a")
        chat = (await connection.until_end("a"))["a"]
        generation_id, last = chat[0]["generation_id"], chat[-1]["sequence"]
        for fields, code in (
            ({"generation_id": "gen_unknown"}, "generation_not_found"),
            ({"generation_id": generation_id, "last_sequence": last}, "nothing_follows"),
            ({"generation_id": generation_id, "last_sequence": last + 1}, "unknown_event"),
            ({"generation_id": generation_id, "last_sequence": -1}, "invalid_request"),
            ({}, "invalid_request"),
        ):
            await connection.send(type="resume", request_id="b", **fields)
            events = (await connection.until_end("b"))["b"]
            assert [event["error"]["code"] for event in events] == [code]


async def test_cancelling_a_chat_ends_it_for_all_who_read_it() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server, connect(server) as connection:
        await connection.chat("a")
        generation_id = (await connection.receive())["generation_id"]
        path = f"/api/generations/{generation_id}/events"
        beside = asyncio.create_task(server.client.get(path))
        await connection.send(type="resume", generation_id=generation_id, request_id="b")
        while (await connection.receive())["request_id"] != "b":
            pass
        await connection.send(type="cancel", request_id="b")
        events = await connection.until_end("a", "b")
        read = parse_frames((await beside).text)
        await server.until_idle()
    for last in (events["a"][-1], events["b"][-1], read[-1].data):
        assert (last["type"], last["finish_reason"]) == ("done", "cancelled")


async def test_what_was_cancelled_is_not_resumed() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server, connect(server) as connection:
        await connection.chat("a")
        generation_id = (await connection.receive())["generation_id"]
        await connection.send(type="cancel", request_id="a")
        cancelled = (await connection.until_end("a"))["a"]
        await connection.send(type="resume", generation_id=generation_id, last_sequence=0, request_id="b")
        assert (await connection.until_end("b"))["b"][-1]["finish_reason"] == "cancelled"
        assert server.adapters.fake_generator.suspended_generations == 0
    assert cancelled[-1]["finish_reason"] == "cancelled"


@pytest.mark.parametrize("politely", [True, False])
async def test_closing_ends_every_chat(politely: bool) -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 5)) as server, connect(server) as connection:
        for number in range(5):
            await connection.chat(f"{number}")
        await server.until_busy(5)
        if politely:
            await connection.raw.close()
        else:
            connection.raw.transport.abort()
        await server.until_idle()


async def test_a_chat_that_is_not_done_in_time_ends_with_what_it_has() -> None:
    async with (
        live_server(adapters=FakeAdapters(script=[ScriptedReply(pieces=("one", " two"), delay_s=1000)])) as server,
        connect(server) as connection,
    ):
        await connection.chat("slow", timeout_s=0.2, priority="background")
        done = (await connection.until_end("slow"))["slow"][-1]
    assert (done["finish_reason"], done["usage"]["completion_tokens"]) == ("cancelled", 1)


async def test_a_refusal_for_load_says_why() -> None:
    busy = ScriptedReply(refusal=GeneratorBusyError("512 requests are waiting."))
    async with live_server(adapters=FakeAdapters(script=[busy])) as server, connect(server) as connection:
        await connection.chat("late")
        [refusal] = (await connection.until_end("late"))["late"]
    assert (refusal["error"]["code"], refusal["error"]["reason"]) == ("generator_busy", "queue_full")
