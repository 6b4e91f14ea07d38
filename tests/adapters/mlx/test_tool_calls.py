"""Tool calls through the whole adapter, on a model that talks nonsense unless it is held to a grammar."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from cortex_adapters.fake import FakeClock
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_domain.errors import InvalidRequestError
from cortex_domain.event_stream import collect
from cortex_domain.events import GenerationEvent, TextDelta, ToolCallDelta
from cortex_domain.generation import FinishReason, GenerationRequest, GenerationResult, SamplingParameters
from cortex_domain.language_models import ModelFiles
from cortex_domain.messages import user_message
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from tests.adapters.mlx.tiny_model import TINY_CONTEXT_WINDOW, write_tiny_model

HOT = SamplingParameters(temperature=1, top_p=1, seed=5)
COLOURS = ("red", "green", "blue")
PAINT = ToolDefinition(
    name="paint",
    parameters={"type": "object", "properties": {"colour": {"enum": COLOURS}}, "required": ["colour"]},
)
WASH = ToolDefinition(name="wash")
REQUIRED = ToolChoice(mode=ToolChoiceMode.REQUIRED)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A window that holds what a model of one token a byte is told of tools."""
    directory = tmp_path_factory.mktemp("wide")
    return write_tiny_model(directory, max_position_embeddings=8 * TINY_CONTEXT_WINDOW)


@pytest.fixture
async def generator(host: EngineHost, files: ModelFiles) -> MlxTextGenerator:
    await host.load(files)
    return MlxTextGenerator(host=host, clock=FakeClock(), default_max_tokens=200)


def request(files: ModelFiles, choice: ToolChoice = REQUIRED, **changes: object) -> GenerationRequest:
    asked = GenerationRequest(
        model=files.model_id,
        messages=(user_message("Paint it."),),
        sampling=HOT,
        tools=(PAINT, WASH),
        tool_choice=choice,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


async def answer(generator: MlxTextGenerator, asked: GenerationRequest) -> GenerationResult:
    async with generator.generate_text(asked) as events:
        return await collect(events)


async def test_what_must_be_called_is_called(generator: MlxTextGenerator, files: ModelFiles) -> None:
    for choice in (REQUIRED, *(ToolChoice(mode=ToolChoiceMode.NAMED, name=tool.name) for tool in (PAINT, WASH))):
        result = await answer(generator, request(files, choice))
        [call] = result.tool_calls
        assert (result.finish_reason, result.text, result.detail) == (FinishReason.TOOL_CALLS, "", None)
        assert call.name == (choice.name or call.name)
        assert json.loads(call.arguments) in ([{"colour": c} for c in COLOURS] if call.name == "paint" else [{}])


async def test_answers_side_by_side_have_calls_of_their_own(generator: MlxTextGenerator, files: ModelFiles) -> None:
    several, free = await asyncio.gather(
        answer(generator, request(files, n=3)),
        answer(generator, request(files, ToolChoice(mode=ToolChoiceMode.NONE), max_tokens=20)),
    )
    ids = [call.id for choice in several.choices for call in choice.tool_calls]
    assert len(ids) == len(set(ids)) == 3
    assert not free.tool_calls


async def test_a_call_that_is_cut_says_so(generator: MlxTextGenerator, files: ModelFiles) -> None:
    named = ToolChoice(mode=ToolChoiceMode.NAMED, name="paint")
    result = await answer(
        generator, request(files, named, max_tokens=len('<tool_call>{"name": "paint", "arguments": {"c'))
    )
    assert result.finish_reason is FinishReason.LENGTH
    assert result.detail is not None
    assert '{"colour":"'.startswith("".join(call.arguments for call in result.tool_calls))


async def test_a_suspended_call_goes_on(generator: MlxTextGenerator, files: ModelFiles) -> None:
    asked = request(files, ToolChoice(mode=ToolChoiceMode.NAMED, name="paint"))
    whole = await answer(generator, asked)
    seen: list[GenerationEvent] = []
    async with generator.generate_text(asked) as events:
        while not any(isinstance(event, ToolCallDelta) for event in seen):
            seen.append(await anext(events))
        generator.suspend(asked.generation_id, for_s=60)
    async with generator.resume(asked.generation_id) as events:
        seen += [event async for event in events]
    resumed = await collect(_stream(seen))
    assert [call.arguments for call in resumed.tool_calls] == [call.arguments for call in whole.tool_calls]
    assert resumed.usage.completion_tokens == whole.usage.completion_tokens


async def test_what_is_said_freely_is_text(generator: MlxTextGenerator, files: ModelFiles) -> None:
    plain = await answer(generator, request(files, ToolChoice(), max_tokens=30))
    assert (plain.tool_calls, plain.detail) == ((), None)
    assert plain.text
    async with generator.generate_text(request(files, ToolChoice(), max_tokens=30)) as events:
        deltas = [event.text async for event in events if isinstance(event, TextDelta)]
    assert "".join(deltas) == plain.text


async def test_tools_are_part_of_the_prompt(generator: MlxTextGenerator, files: ModelFiles) -> None:
    lengths = [
        await generator.count_prompt(request(files, choice))
        for choice in (ToolChoice(), REQUIRED, ToolChoice(mode=ToolChoiceMode.NONE))
    ]
    assert lengths[0] == lengths[1] > lengths[2]


async def test_a_schema_that_cannot_be_followed_is_refused(generator: MlxTextGenerator, files: ModelFiles) -> None:
    tool = ToolDefinition(name="paint", parameters={"type": "object", "uniqueItems": True, "not": {}})
    with pytest.raises(InvalidRequestError, match="'paint' cannot be followed") as refusal:
        await answer(generator, request(files, tools=(tool,)))
    assert refusal.value.parameter == "tools.0"


async def _stream(events: Sequence[GenerationEvent]) -> AsyncIterator[GenerationEvent]:
    for event in events:
        yield event
