"""Every parameter that Anthropic documents is honoured, refused by name, or warned of."""

import re
import typing
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_create_params as beta_message_create_params

from cortex_adapters.fake import ECHO_MODEL
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_entrypoints.http.anthropic.message_body import CountTokensBody, CreateMessageBody
from cortex_entrypoints.http.anthropic.parameters import WARNED
from tests.entrypoints.http.anthropic.clients import CHAT, MESSAGES, client_of, listening
from tests.entrypoints.http.live_server import LiveServer, live_server

PAGE = Path(__file__).parents[4] / "docs" / "anthropic.md"
HEADERS = {"betas"}
OF_OLDER_CLIENTS = {"temperature", "top_p", "top_k"}
TOOL = {"name": "f", "description": "x", "input_schema": {"type": "object"}}

REFUSED: dict[str, list[Any]] = {
    "compaction": [{"type": "auto"}],
    "container": ["container_1"],
    "mcp_servers": [[{"type": "url", "url": "http://127.0.0.1", "name": "x"}]],
    "output_config": [{"task_budget": {"total": 9}}, {"format": {"type": "text"}}],
    "thinking": [{"type": "between_tools"}],
    "thread": [{"type": "create"}, {"type": "continue", "previous_message_id": "gen_1"}],
    "tool_choice": [{"type": "any"}, {"type": "every"}],
    "tools": [
        [{"type": "bash_20250124", "name": "bash"}],
        [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}],
        [{**TOOL, "defer_loading": True}],
        [{**TOOL, "allowed_callers": ["code_execution_20260120"]}],
        [{**TOOL, "name": "not a name"}],
        [{**TOOL, "input_schema": {"type": "array"}}],
        [TOOL, TOOL],
    ],
}
"""Parameters of which something is not honoured, each with values that ask for that."""
HARMLESS: dict[str, list[Any]] = {
    "compaction": [],
    "container": [],
    "mcp_servers": [[]],
    "output_config": [{}, {"effort": None, "format": None}],
    "thinking": [{"type": "disabled"}],
    "thread": [],
    "tool_choice": [{"type": "none"}, {"type": "auto", "disable_parallel_tool_use": True}],
    "tools": [[], [{**TOOL, "type": "custom", "strict": True, "eager_input_streaming": True, "cache_control": {}}]],
}
"""Values of each that are honoured, or ask for nothing."""
BLOCKS: dict[str, dict[str, Any]] = {
    "document": {"source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    "search_result": {"source": "x", "title": "x", "content": []},
    "container_upload": {"file_id": "x"},
    "server_tool_use": {"id": "x", "name": "web_search", "input": {}},
    "web_search_tool_result": {"tool_use_id": "x", "content": []},
}
"""Blocks that are not understood."""


def _documented(*modules: Any) -> set[str]:
    """Names of the fields that the client's own types have."""
    hints = (typing.get_type_hints(module.MessageCreateParamsStreaming) for module in modules)
    return {name for names in hints for name in names}


def test_every_documented_parameter_is_known() -> None:
    documented = _documented(message_create_params, beta_message_create_params) - HEADERS | OF_OLDER_CLIENTS
    assert set(CreateMessageBody.model_fields) == documented
    assert set(REFUSED) | WARNED <= documented
    assert set(REFUSED) == set(HARMLESS)
    assert not set(REFUSED) & WARNED


def test_every_documented_parameter_of_a_count_is_known() -> None:
    documented = set(typing.get_type_hints(message_count_tokens_params.MessageCountTokensParams))
    assert documented <= set(CountTokensBody.model_fields) <= set(CreateMessageBody.model_fields)


def test_every_parameter_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(CreateMessageBody.model_fields) <= named


def _cases(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(parameter, value) for parameter, several in sorted(values.items()) for value in several]


@pytest.mark.parametrize(("parameter", "value"), _cases(REFUSED))
async def test_what_cannot_be_honoured_is_refused_by_name(
    client: anthropic.AsyncAnthropic, parameter: str, value: Any
) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        await client.messages.create(**CHAT, extra_body={parameter: value})
    error = refused.value.body["error"]  # type: ignore[index]
    assert error["details"]["param"].split(".")[0] == parameter
    assert parameter.removesuffix("s") in error["message"]
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize("parameter", sorted(REFUSED))
async def test_what_asks_for_nothing_is_taken(client: anthropic.AsyncAnthropic, parameter: str) -> None:
    for value in (None, *HARMLESS[parameter]):
        message = await client.messages.create(**CHAT, extra_body={parameter: value})
        assert message.model_extra == {}


@pytest.mark.parametrize("parameter", sorted(WARNED))
async def test_what_has_no_effect_is_listed(client: anthropic.AsyncAnthropic, parameter: str) -> None:
    message = await client.messages.create(**CHAT, extra_body={parameter: "anything"})
    assert message.model_extra == {"warnings": [f"{parameter} has no effect on this server."]}
    assert (await client.messages.create(**CHAT, extra_body={parameter: None})).model_extra == {}


async def test_what_asks_for_the_usual_is_not_listed(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**CHAT, service_tier="auto", speed="standard")
    assert message.model_extra == {}


@pytest.mark.parametrize("kind", sorted(BLOCKS))
async def test_blocks_that_are_not_understood_are_refused_by_their_place(
    client: anthropic.AsyncAnthropic, kind: str
) -> None:
    content: Any = [{"type": "text", "text": "x"}, {"type": kind, **BLOCKS[kind]}]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.1"):
        await client.messages.create(**{**CHAT, "messages": [{"role": "user", "content": content}]})


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}, "image_input"),
        ({"type": "url", "url": "http://127.0.0.1/x.png"}, "messages.0.content.0.source"),
        ({"type": "file", "file_id": "x"}, "messages.0.content.0.source"),
    ],
    ids=["base64", "url", "file"],
)
async def test_pictures_are_refused_by_models_that_take_none(server: LiveServer, source: Any, complaint: str) -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    for path, asked in (("/v1/messages", body), ("/v1/messages/count_tokens", _only_prompt(body))):
        answer = await server.client.post(path, json=asked)
        assert answer.status_code == 400
        assert complaint in answer.json()["error"]["message"]


def _only_prompt(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in CountTokensBody.model_fields}


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"no_such_parameter": 1}, "no_such_parameter"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content"),
        ({"messages": [*MESSAGES, {"role": "assistant", "content": "hel"}]}, "messages"),
        ({"stop_sequences": [""]}, "stop_sequences.0"),
        ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
        ({"metadata": {"user_id": "x" * 513}}, "metadata.user_id"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
async def test_what_breaks_a_rule_is_refused(server: LiveServer, values: dict[str, Any], parameter: str) -> None:
    body = {name: value for name, value in {**CHAT, **values}.items() if value is not None}
    answer = await server.client.post("/v1/messages", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"error_code": "invalid_request", "param": parameter}


async def test_a_schema_is_passed_on() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    config: Any = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    generator, adapters = listening()
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        await client.messages.create(**CHAT, **config)
        assert (await client.messages.count_tokens(model=ECHO_MODEL, messages=MESSAGES, **config)).input_tokens == 4
    assert [request.output for request in generator.asked] == [JsonSchemaOutput(schema=schema)]
