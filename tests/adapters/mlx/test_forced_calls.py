"""The starter model calls what it must call: every call parses, validates and streams.

Some of the hundred calls are made here, all of them by `make tool-calls`.
"""

import asyncio
import json
import os

import jsonschema
import pytest

from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import GenerationEvent, ToolCallDelta, ToolCallFinished
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelFiles, ModelId
from cortex_domain.messages import user_message
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints import Cortex
from tests.adapters.mlx.callable_tools import ASKED_TOOLS, AskedTool

pytestmark = pytest.mark.real_model

IS_LONG = bool(os.environ.get("CORTEX_ALL_TOOL_CALLS"))
ASKED = ASKED_TOOLS if IS_LONG else ASKED_TOOLS[::6]
REQUESTS_EACH = 5 if IS_LONG else 1
BYSTANDERS = 2
"""Other tools that are offered beside the one that is asked for."""
PLAIN_QUESTIONS = (
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "What colour is the sky?",
    "Name a fruit.",
)


@pytest.fixture
async def starter(starter_cortex: Cortex, starter_files: ModelFiles) -> tuple[Cortex, ModelId]:
    await starter_cortex.load_model(starter_files.model_id)
    return starter_cortex, starter_files.model_id


def test_there_are_a_hundred_calls_of_twenty_tools() -> None:
    assert len({asked.tool.name for asked in ASKED_TOOLS}) == 20
    assert sum(len(set(asked.requests)) for asked in ASKED_TOOLS) == 100


async def test_what_must_be_called_is_called(starter: tuple[Cortex, ModelId]) -> None:
    """Names the tool in every other request."""
    calls = [(asked, text) for asked in ASKED for text in asked.requests[:REQUESTS_EACH]]
    requests = [_request(starter[1], *call, is_named=number % 2 == 0) for number, call in enumerate(calls)]
    streams = await asyncio.gather(*(_read(starter[0], request) for request in requests))
    cut = [events[-1] for events in streams if _follow(events).choices[0].finish_reason is not FinishReason.TOOL_CALLS]
    assert cut == [], f"{len(cut)} of {len(streams)} calls are not whole."
    for request, events in zip(requests, streams, strict=True):
        _require_call(request, events)


async def test_plain_questions_are_answered_with_text(starter: tuple[Cortex, ModelId]) -> None:
    tools = [asked.tool for asked in ASKED_TOOLS[:3]]
    questions = PLAIN_QUESTIONS if IS_LONG else PLAIN_QUESTIONS[:2]
    for question in questions:
        request = _asking(starter[1], question, tools, ToolChoice(), max_tokens=24)
        events = await _read(starter[0], request)
        rules = _follow(events)
        assert rules.choices[0].text.strip()
        assert not rules.choices[0].tool_calls


def _request(model: ModelId, asked: AskedTool, text: str, *, is_named: bool) -> GenerationRequest:
    place = ASKED_TOOLS.index(asked)
    others = [ASKED_TOOLS[(place + step) % len(ASKED_TOOLS)].tool for step in range(1, 1 + BYSTANDERS)]
    named = ToolChoice(mode=ToolChoiceMode.NAMED, name=asked.tool.name)
    choice = named if is_named else ToolChoice(mode=ToolChoiceMode.REQUIRED)
    return _asking(model, text, [asked.tool, *others], choice, max_tokens=400)


def _asking(
    model: ModelId, text: str, tools: list[ToolDefinition], choice: ToolChoice, *, max_tokens: int
) -> GenerationRequest:
    return GenerationRequest(
        model=model,
        messages=(user_message(text),),
        # The penalty ends what would otherwise repeat itself for ever, where a schema lets it: a tree, a text.
        sampling=SamplingParameters(temperature=0.7, top_p=0.9, frequency_penalty=1, seed=7),
        max_tokens=max_tokens,
        tools=tuple(tools),
        tool_choice=choice,
    )


async def _read(cortex: Cortex, request: GenerationRequest) -> list[GenerationEvent]:
    async with cortex.generate_text(request) as events:
        return [event async for event in events]


def _follow(events: list[GenerationEvent]) -> GenerationRules:
    rules = GenerationRules()
    for event in events:
        rules.accept(event)
    rules.close()
    return rules


def _require_call(request: GenerationRequest, events: list[GenerationEvent]) -> None:
    [choice] = _follow(events).choices
    assert (choice.finish_reason, choice.detail) == (FinishReason.TOOL_CALLS, None), choice
    [call] = choice.tool_calls
    assert request.tool_choice.name in (None, call.name)
    [tool] = [tool for tool in request.tools if tool.name == call.name]
    jsonschema.validate(
        json.loads(call.arguments),
        dict(tool.parameters),
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    [finished] = [event for event in events if isinstance(event, ToolCallFinished)]
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert "".join(delta.arguments for delta in deltas) == finished.arguments
    assert len(deltas) > 1
