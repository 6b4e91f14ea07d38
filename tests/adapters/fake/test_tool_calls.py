"""Scripted tool calls, and those that the echo model makes up."""

import json
from dataclasses import replace

import jsonschema_rs
import pytest

from cortex_adapters.fake import FakeClock, FakeModelLoader, FakeTextGenerator, ScriptedReply, ScriptedToolCall
from cortex_domain.errors import InvalidRequestError
from cortex_domain.event_stream import collect
from cortex_domain.events import GenerationEvent, TextDelta, ToolCallDelta, ToolCallFinished
from cortex_domain.generation import FinishReason, GenerationRequest
from cortex_domain.messages import Message, Role, tool_message, user_message
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from tests.adapters.fake.fake_files import FILES

LOOK = ToolDefinition(
    name="look",
    parameters={"type": "object", "properties": {"at": {"type": "string", "minLength": 2}}, "required": ["at"]},
)
LISTEN = ToolDefinition(name="listen")
REQUEST = GenerationRequest(model=FILES.model_id, messages=(user_message("hello"),), tools=(LOOK, LISTEN))


async def generator(*script: ScriptedReply) -> FakeTextGenerator:
    loader = FakeModelLoader()
    await loader.load(FILES)
    return FakeTextGenerator(loader=loader, clock=FakeClock(), script=script or None)


async def events_of(generator: FakeTextGenerator, request: GenerationRequest = REQUEST) -> list[GenerationEvent]:
    async with generator.generate_text(request) as events:
        return [event async for event in events]


async def test_several_calls_follow_the_text() -> None:
    calls = ScriptedToolCall.to("look", at="the sea"), ScriptedToolCall.to("listen")
    reply = ScriptedReply(pieces=("One moment.",), tool_calls=calls)
    async with (await generator(reply)).generate_text(REQUEST) as events:
        result = await collect(events)
    assert result.text == "One moment."
    assert [(call.name, json.loads(call.arguments)) for call in result.tool_calls] == [
        ("look", {"at": "the sea"}),
        ("listen", {}),
    ]
    assert result.finish_reason is FinishReason.TOOL_CALLS
    assert len({call.id for call in result.tool_calls}) == 2


async def test_arguments_come_piece_by_piece() -> None:
    call = ScriptedToolCall(name="look", arguments=('{"at"', ':"x"}'), id="call_7")
    told = (await events_of(await generator(ScriptedReply(tool_calls=(call,)))))[3:-1]
    assert told == [
        ToolCallDelta(index=0, id="call_7", name="look"),
        ToolCallDelta(index=0, id="call_7", name="look", arguments='{"at"'),
        ToolCallDelta(index=0, id="call_7", name="look", arguments=':"x"}'),
        ToolCallFinished(index=0, id="call_7", name="look", arguments='{"at":"x"}'),
    ]


async def test_text_that_was_held_back_comes_before_the_call() -> None:
    reply = ScriptedReply(pieces=("wait ST",), tool_calls=(ScriptedToolCall.to("listen"),))
    events = await events_of(await generator(reply), replace(REQUEST, stop=("STOP",)))
    kinds = [type(event) for event in events if isinstance(event, TextDelta | ToolCallDelta)]
    assert kinds == [TextDelta, TextDelta, ToolCallDelta, ToolCallDelta]


@pytest.mark.parametrize("max_tokens", [1, 2, 3])
async def test_a_call_that_is_cut_says_so(max_tokens: int) -> None:
    call = ScriptedToolCall(name="look", arguments=("{", '"at":', '"x"}'))
    script = await generator(ScriptedReply(tool_calls=(call,)))
    async with script.generate_text(replace(REQUEST, max_tokens=max_tokens)) as events:
        result = await collect(events)
    assert (result.finish_reason, result.detail) == (FinishReason.LENGTH, "The answer ended within the call of 'look'.")
    assert result.tool_calls[0].arguments == "".join(call.arguments[: max_tokens - 1])


@pytest.mark.parametrize("arguments", ["{", "[]", "1"])
async def test_a_call_that_is_no_call_ends_the_answer(arguments: str) -> None:
    calls = ScriptedToolCall(name="look", arguments=(arguments,)), ScriptedToolCall.to("listen")
    async with (await generator(ScriptedReply(tool_calls=calls))).generate_text(REQUEST) as events:
        result = await collect(events)
    assert result.finish_reason is FinishReason.STOP
    assert result.detail == "The arguments of the call of 'look' are not a JSON object."
    assert [call.arguments for call in result.tool_calls] == [arguments]


@pytest.mark.parametrize("tool", [LOOK, LISTEN], ids=lambda tool: tool.name)
async def test_the_echo_model_calls_what_it_must(tool: ToolDefinition) -> None:
    request = replace(REQUEST, tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name=tool.name))
    async with (await generator()).generate_text(request) as events:
        [call] = (await collect(events)).tool_calls
    assert call.name == tool.name
    jsonschema_rs.validate(dict(tool.parameters), json.loads(call.arguments))


async def test_the_echo_model_says_what_a_tool_returned() -> None:
    call = ScriptedToolCall.to("look", at="it")
    async with (await generator(ScriptedReply(tool_calls=(call,)))).generate_text(REQUEST) as events:
        result = await collect(events)
    turn = Message(role=Role.ASSISTANT, parts=result.tool_calls)
    messages = (*REQUEST.messages, turn, tool_message(result.tool_calls[0].id, "blue and wide"))
    async with (await generator()).generate_text(replace(REQUEST, messages=messages)) as events:
        assert (await collect(events)).text == "blue and wide"


async def test_parameters_that_the_echo_model_does_not_understand_are_refused() -> None:
    tool = replace(LOOK, parameters={"type": "object", "minProperties": 2})
    request = replace(REQUEST, tools=(tool,), tool_choice=ToolChoice(mode=ToolChoiceMode.REQUIRED))
    with pytest.raises(InvalidRequestError, match="minProperties") as caught:
        await events_of(await generator(), request)
    assert caught.value.parameter == "tools"
