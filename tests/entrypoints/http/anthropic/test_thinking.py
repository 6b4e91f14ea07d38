"""Thinking blocks, in both directions."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anthropic
import pytest

from cortex_adapters.fake import FakeModelStore, ScriptedReply
from cortex_domain.errors import UnsupportedCapabilityError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest, ReasoningEffort
from cortex_domain.language_models import Capability, ModelDescriptor, ModelId, ModelState
from cortex_domain.messages import ReasoningPart, TextPart
from tests.entrypoints.http.anthropic.clients import CHAT, MESSAGES, ListeningGenerator, client_of, listening, text_of
from tests.entrypoints.http.live_server import FakeAdapters, live_server

THINKING: Any = {**CHAT, "thinking": {"type": "enabled", "budget_tokens": 2000}}
BUDGET = "thinking.budget_tokens has no effect on this server."


async def test_what_was_thought_comes_first(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**THINKING)
    thought, said = message.content
    assert thought.type == "thinking"
    assert said.type == "text"
    assert (thought.thinking, said.text) == ("hello big world", "hello big world")
    assert thought.signature
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens_details.thinking_tokens == 3
    assert message.model_extra == {"warnings": [BUDGET]}
    async with client.messages.stream(**THINKING) as stream:
        events = [event.type async for event in stream]
        streamed = await stream.get_final_message()
    assert streamed.to_dict()["content"] == message.to_dict()["content"]
    assert events.count("thinking") == 3
    assert events.count("signature") == 1


async def test_who_asks_for_no_thinking_gets_text_alone(client: anthropic.AsyncAnthropic) -> None:
    for asked in (CHAT, {**CHAT, "thinking": {"type": "disabled"}}):
        assert text_of(await client.messages.create(**asked)) == "hello big world"


async def test_thinking_may_be_left_out_of_the_answer(client: anthropic.AsyncAnthropic) -> None:
    asked: Any = {**CHAT, "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}
    message = await client.messages.create(**asked)
    assert text_of(message) == "hello big world"
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens_details.thinking_tokens == 3
    async with client.messages.stream(**asked) as stream:
        assert text_of(await stream.get_final_message()) == "hello big world"


@pytest.mark.parametrize(
    ("values", "effort"),
    [
        ({}, ReasoningEffort.NONE),
        ({"thinking": {"type": "disabled"}}, ReasoningEffort.NONE),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, ReasoningEffort.NONE),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, ReasoningEffort.LOW),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, ReasoningEffort.HIGH),
        ({"output_config": {"effort": "max"}}, ReasoningEffort.MAX),
    ],
)
async def test_effort_is_passed_on(values: dict[str, Any], effort: ReasoningEffort | None) -> None:
    generator, adapters = listening()
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        await client.messages.create(**CHAT, extra_body=values)
    assert generator.asked[0].reasoning_effort is effort


async def test_a_model_that_cannot_be_kept_from_thinking_is_left_to_itself() -> None:
    generator, adapters = listening()
    adapters.store = FakeModelStore([ModelDescriptor(id=ModelId("fake/echo"), state=ModelState.DOWNLOADED)])
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        await client.messages.create(**CHAT)
    assert generator.asked[0].reasoning_effort is None


class StubbornGenerator(ListeningGenerator):
    """Takes efforts, but cannot be kept from thinking."""

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        if request.reasoning_effort is ReasoningEffort.NONE:
            raise self._refusal(request)
        return super().generate_text(request)

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        if request.reasoning_effort is ReasoningEffort.NONE:
            raise self._refusal(request)
        return await super().count_prompt(request)

    def _refusal(self, request: GenerationRequest) -> UnsupportedCapabilityError:
        capability = Capability.REASONING_EFFORT
        return UnsupportedCapabilityError(capability=capability, model_id=request.model, parameter=capability.value)


async def test_a_model_that_must_think_refuses_only_who_forbids_it() -> None:
    _, adapters = listening()
    generator = StubbornGenerator(loader=adapters.loader, clock=adapters.clock)
    adapters.generator = adapters.fake_generator = generator
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        assert text_of(await client.messages.create(**CHAT)) == "hello big world"
        async with client.messages.stream(**CHAT) as stream:
            assert text_of(await stream.get_final_message()) == "hello big world"
        with pytest.raises(anthropic.BadRequestError, match="reasoning_effort"):
            await client.messages.create(**CHAT, thinking={"type": "disabled"})
        counted: Any = {"model": "fake/echo", "messages": MESSAGES}
        assert (await client.messages.count_tokens(**counted)).input_tokens == 4
        with pytest.raises(anthropic.BadRequestError, match="reasoning_effort"):
            await client.messages.count_tokens(**counted, thinking={"type": "disabled"})
    assert [request.reasoning_effort for request in generator.asked] == [None, None]


async def test_a_model_that_never_thinks_answers_with_a_warning() -> None:
    model = ModelDescriptor(id=ModelId("fake/echo"), state=ModelState.DOWNLOADED)
    async with live_server(adapters=FakeAdapters(store=FakeModelStore([model]))) as server, client_of(server) as client:
        message = await client.messages.create(**THINKING)
        counted = await client.messages.count_tokens(
            model="fake/echo", messages=MESSAGES, thinking=THINKING["thinking"]
        )
        assert (await client.messages.create(**CHAT)).model_extra == {}
    assert text_of(message) == "hello big world"
    assert message.model_extra is not None
    assert [warning.split(";")[0] for warning in message.model_extra["warnings"]] == [
        "This model cannot be told how long to think",
        BUDGET,
    ]
    assert counted.input_tokens == 4


async def test_what_was_thought_goes_back_to_the_model() -> None:
    generator, adapters = listening()
    turns: Any = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": [
                {"type": "redacted_thinking", "data": "x"},
                {"type": "thinking", "thinking": "Two?", "signature": "whatever"},
                {"type": "text", "text": "Two."},
            ],
        },
        *MESSAGES,
    ]
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        await client.messages.create(**{**CHAT, "messages": turns})
        turns[1]["role"] = "user"
        with pytest.raises(anthropic.BadRequestError, match="Only an assistant"):
            await client.messages.create(**{**CHAT, "messages": turns})
    assert generator.asked[0].messages[1].parts == (
        ReasoningPart(text=""),
        ReasoningPart(text="Two?"),
        TextPart(text="Two."),
    )


async def test_an_answer_that_was_cut_while_it_thought_ends_its_block() -> None:
    script = [ScriptedReply(reasoning=("so", " much", " thought"), pieces=("never",))] * 2
    cut: Any = {**THINKING, "max_tokens": 2}
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        whole = await client.messages.create(**cut)
        async with client.messages.stream(**cut) as stream:
            streamed = await stream.get_final_message()
    assert streamed.to_dict()["content"] == whole.to_dict()["content"]
    assert whole.content[0].type == "thinking"
    assert whole.content[0].thinking == "so much"
    assert whole.stop_reason == "max_tokens"
