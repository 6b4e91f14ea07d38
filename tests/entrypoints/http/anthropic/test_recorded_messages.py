"""The stream of a message, byte by byte, is the one that is recorded in `contracts/api`.

`RECORD=1` writes the recordings anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from cortex_domain.errors import GeneratorFailedError
from tests.entrypoints.http.live_server import FakeAdapters, live_server

RECORDINGS = Path(__file__).parents[4] / "contracts" / "api"
TOOL: dict[str, Any] = {"name": "get_weather", "input_schema": {"type": "object"}}
CALL = ScriptedToolCall(name="get_weather", arguments=('{"city":', ' "Rome"}'), id="call_1")
REPLIES = {
    "messages_text": ScriptedReply(pieces=("Hello", " there", " END", " of it.")),
    "messages_tools": ScriptedReply(reasoning=("Where?",), pieces=("Let me see.",), tool_calls=(CALL,)),
    "messages_failed": ScriptedReply(pieces=("So", " far"), failure=GeneratorFailedError("The engine failed.")),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_the_stream_is_the_recorded_one(name: str) -> None:
    asked = {
        "model": ECHO_MODEL,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hello."}],
        "tools": [TOOL],
        "thinking": {"type": "adaptive"},
        "stop_sequences": [" END"],
        "service_tier": "standard_only",
        "stream": True,
    }
    async with live_server(adapters=FakeAdapters(script=[REPLIES[name]])) as server:
        answer = await server.client.post("/v1/messages", json=asked)
    stream = re.sub(r"[0-9a-f]{32}", "0" * 32, answer.text)
    recording = RECORDINGS / f"{name}.sse"
    if os.environ.get("RECORD"):
        recording.write_text(stream, encoding="utf-8")
    assert stream == recording.read_text(encoding="utf-8")
