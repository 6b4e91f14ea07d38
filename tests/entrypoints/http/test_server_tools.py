"""Chats in which the model uses Cortex's own tools, over every door."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import websockets

from cortex_adapters.fake import (
    FakeModelLoader,
    FakeTextGenerator,
    FakeToolProvider,
    ScriptedReply,
    ScriptedToolCall,
    ScriptedToolUse,
)
from cortex_adapters.system.clock import SystemClock
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect, ToolImage, ToolJson, ToolOutput, ToolText
from cortex_domain.tools import ToolDefinition
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.sse import Frame, parse_frames

CHAT = "/api/chat/completions"
STREAM = "/api/chat/completions/stream"
ASKED: dict[str, Any] = {**HELLO, "tools": "server"}
RECORDED = Path(__file__).parents[3] / "contracts" / "api" / "chat_server_tools.sse"
LOOK = ToolDescriptor(definition=ToolDefinition(name="look"), effects=frozenset({ToolEffect.READS_LOCAL}))
WRITE = ToolDescriptor(definition=ToolDefinition(name="write"), effects=frozenset({ToolEffect.WRITES_LOCAL}))
SEEN = ToolOutput(
    content=(
        ToolText(text="a lamp"),
        ToolJson(value={"lamps": 1, "shelf": None}),
        ToolImage(data=b"\xff\xd8", media_type="image/jpeg"),
    )
)


def adapters(*replies: ScriptedReply | str, use: ScriptedToolUse | None = None) -> FakeAdapters:
    loader, clock = FakeModelLoader(), SystemClock()
    tools = FakeToolProvider([LOOK, WRITE], clock=clock, script={"look": [use or ScriptedToolUse(output=SEEN)]})
    generator = FakeTextGenerator(loader=loader, clock=clock, script=replies)
    return FakeAdapters(loader=loader, clock=clock, generator=generator, tools=tools)


def looking(text: str = "Let me look. ", **arguments: Any) -> ScriptedReply:
    call = ScriptedToolCall(name="look", arguments=(json.dumps(arguments),), id="call_1")
    return ScriptedReply(pieces=(text,), tool_calls=(call,))


async def stream(server: LiveServer, body: dict[str, Any] = ASKED) -> list[Frame]:
    response = await server.client.post(STREAM, json=body)
    assert response.status_code == 200, response.text
    return parse_frames(response.text)


async def test_an_answer_in_one_piece_tells_what_was_used() -> None:
    async with live_server(adapters=adapters(looking(at="shelf"), "One lamp.")) as server:
        answer = (await server.client.post(CHAT, json=ASKED)).json()
    assert answer["message"] == {"role": "assistant", "content": "Let me look. One lamp."}
    assert answer["finish_reason"] == "stop"
    [use] = answer["tool_uses"]
    assert (use["call_id"], use["name"], use["arguments"]) == ("call_1", "look", {"at": "shelf"})
    assert use["result"]["status"] == "ok"
    assert use["result"]["content"] == [
        {"type": "text", "text": "a lamp"},
        {"type": "json", "value": {"lamps": 1, "shelf": None}},
        {"type": "image", "data": "/9g=", "media_type": "image/jpeg"},
    ]


async def test_a_stream_is_one_answer_with_uses_between() -> None:
    use = ScriptedToolUse(progress=(("looking", 0.5),), output=SEEN)
    async with live_server(adapters=adapters(looking(at="shelf"), "One lamp.", use=use)) as server:
        frames = await stream(server)
    kinds = [frame.event for frame in frames if frame.event not in ("prefill_progress", "tool_call_delta")]
    assert kinds == [
        *("started", "text_delta", "tool_call", "tool_started", "tool_progress", "tool_result"),
        *("text_delta", "text_delta", "done"),
    ]
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert frames[-1].data["finish_reason"] == "stop"


async def test_the_stream_is_as_it_was_recorded() -> None:
    """`RECORD=1` writes the recording anew; a change in it is a change for clients."""
    async with live_server(adapters=adapters(looking(at="shelf"), "One lamp.")) as server:
        text = (await server.client.post(STREAM, json=ASKED)).text
    told = re.sub(r"gen_[0-9a-f]{32}", "gen_0", text)
    told = re.sub(r'"(created_s|duration_ms|\w+_ms|tokens_per_second)":[0-9.e-]+', r'"\1":0', told)
    if os.environ.get("RECORD"):
        RECORDED.write_text(told, encoding="utf-8")
    assert told == RECORDED.read_text(encoding="utf-8")


async def test_a_socket_has_the_same_events() -> None:
    async with (
        live_server(adapters=adapters(looking(at="shelf"), "One lamp.")) as server,
        websockets.connect(server.socket_url, proxy=None) as connection,
        asyncio.timeout(20),
    ):
        await connection.send(json.dumps({"type": "chat", "request_id": "mine", **ASKED}))
        events = [json.loads(await connection.recv())]
        while events[-1]["type"] not in ("done", "error"):
            events.append(json.loads(await connection.recv()))
    kinds = [event["type"] for event in events]
    assert kinds.index("tool_call") < kinds.index("tool_started") < kinds.index("tool_result")
    result = next(event for event in events if event["type"] == "tool_result")
    assert (result["call_id"], result["status"], result["request_id"]) == ("call_1", "ok", "mine")


async def test_the_model_is_told_of_no_tool_that_asks() -> None:
    writing = ScriptedReply(tool_calls=(ScriptedToolCall.to("write", text="x"),))
    async with live_server(adapters=adapters(writing, "I may not.")) as server:
        answer = (await server.client.post(CHAT, json=ASKED)).json()
    [use] = answer["tool_uses"]
    assert use["arguments"] is None
    assert use["result"]["error"]["code"] == "approval_required"


async def test_a_client_that_leaves_ends_the_tool() -> None:
    fakes = adapters(looking(), use=ScriptedToolUse(delay_s=None))
    assert isinstance(fakes.tools, FakeToolProvider)
    async with live_server(adapters=fakes) as server:
        async with server.client.stream("POST", STREAM, json=ASKED) as response:
            async for line in response.aiter_lines():
                if "tool_started" in line:
                    break
        async with asyncio.timeout(20):
            while fakes.tools.running:
                await asyncio.sleep(0.01)


async def test_a_forced_tool_is_forced_once() -> None:
    async with live_server(adapters=adapters(looking(text="x"), "One lamp.")) as server:
        body = {**ASKED, "tool_choice": {"name": "look"}}
        assert (await server.client.post(CHAT, json=body)).json()["message"]["content"] == "xOne lamp."


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"n": 2}, "n"),
        ({"tool_choice": {"name": "write"}}, "tool_choice"),
        ({"tools": "mine"}, "tools"),
        ({"tools": 5}, "tools"),
    ],
)
async def test_what_does_not_go_together_is_refused(more: dict[str, Any], parameter: str) -> None:
    async with live_server(adapters=adapters("Never said.")) as server:
        for path in (CHAT, STREAM):
            response = await server.client.post(path, json={**ASKED, **more})
            assert (response.status_code, response.json()["error"]["param"]) == (400, parameter)


async def test_without_any_tool_the_answer_says_so(server: LiveServer) -> None:
    answer = (await server.client.post(CHAT, json=ASKED)).json()
    assert answer["message"]["content"] == "Hello there, Cortex."
    assert answer["tool_uses"] == []
    assert "No tool of this server may be used" in answer["warnings"][0]
