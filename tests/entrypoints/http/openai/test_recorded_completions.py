"""Streams of chats and completions, byte by byte, are those that are recorded in `contracts/api`.

`RECORD=1` writes the recordings anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply
from cortex_domain.errors import GeneratorFailedError
from tests.entrypoints.http.live_server import FakeAdapters, live_server

RECORDINGS = Path(__file__).parents[4] / "contracts" / "api"
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello."}]}
GREETING = ScriptedReply(pieces=("Hello", " thére."))
FAILURE = ScriptedReply(pieces=("So", " far"), failure=GeneratorFailedError("The engine failed."))
USAGE = {"stream_options": {"include_usage": True}}
STREAMS: dict[str, tuple[str, dict[str, Any], list[ScriptedReply]]] = {
    "chat_text": ("chat/completions", {**CHAT, **USAGE}, [GREETING]),
    "chat_logprobs": ("chat/completions", {**CHAT, "logprobs": True, "top_logprobs": 2}, [GREETING]),
    "chat_failed": ("chat/completions", CHAT, [FAILURE]),
    "completions_text": ("completions", {"prompt": "Say:", "echo": True, **USAGE}, [GREETING]),
    "completions_logprobs": ("completions", {"prompt": "Say:", "logprobs": 1}, [GREETING]),
    "completions_failed": ("completions", {"prompt": "Say:"}, [FAILURE]),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_the_stream_is_the_recorded_one(name: str) -> None:
    path, asked, script = STREAMS[name]
    async with live_server(adapters=FakeAdapters(script=script)) as server:
        answer = await server.client.post(f"/v1/{path}", json={"model": ECHO_MODEL, "stream": True, **asked})
    stream = re.sub(r'("created":)\d+', r"\g<1>0", re.sub(r"[0-9a-f]{32}", "0" * 32, answer.text))
    recording = RECORDINGS / f"{name}.sse"
    if os.environ.get("RECORD"):
        recording.write_text(stream, encoding="utf-8")
    assert stream == recording.read_text(encoding="utf-8")
