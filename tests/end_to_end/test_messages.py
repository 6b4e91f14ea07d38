"""Anthropic's messages on the starter model, by Anthropic's own client."""

from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import pytest
from pydantic import BaseModel, Field

from tests.end_to_end.live_process import LiveProcess

pytestmark = pytest.mark.real_model

GREEDY: dict[str, Any] = {"temperature": 0}
QUESTION: Any = {"role": "user", "content": "What is the capital of France?"}
ASKED: dict[str, Any] = {"model": "starter", "max_tokens": 12, "messages": [QUESTION]}


@pytest.fixture
def client(starter_server: LiveProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=starter_server.url, api_key="none", max_retries=0) as opened:
        yield opened


def _text(message: anthropic.types.Message) -> str:
    [block] = message.content
    assert block.type == "text"
    return block.text


def test_a_chat_goes_on_and_reuses_what_was_read(client: anthropic.Anthropic) -> None:
    first = client.messages.create(**ASKED, extra_body=GREEDY)
    assert "Paris" in _text(first)
    turns = [QUESTION, first.to_param(), {"role": "user", "content": "And of Italy?"}]
    second = client.messages.create(**{**ASKED, "messages": turns}, extra_body=GREEDY)
    usage = second.usage
    assert usage.cache_read_input_tokens is not None
    assert usage.cache_read_input_tokens >= first.usage.input_tokens
    counted = client.messages.count_tokens(model="starter", messages=turns)
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_a_stream_says_the_same(client: anthropic.Anthropic) -> None:
    whole = client.messages.create(**ASKED, extra_body=GREEDY)
    with client.messages.stream(**ASKED, extra_body=GREEDY) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == _text(whole)
    assert (message.stop_reason, message.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


def test_the_stop_sequence_is_told(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**ASKED, stop_sequences=["Rome", "Paris"], extra_body=GREEDY)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "Paris")
    assert "Paris" not in _text(message)


def test_a_prompt_beyond_the_window_is_counted_and_refused(client: anthropic.Anthropic) -> None:
    long: Any = [{"role": "user", "content": "one " * 20_000}]
    assert client.messages.count_tokens(model="starter", messages=long).input_tokens > 20_000
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(**{**ASKED, "messages": long})
    assert refused.value.error_code == "context_window_exceeded"


def test_more_than_the_window_holds_may_be_asked_for(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**{**ASKED, "max_tokens": 20_000}, stop_sequences=["Paris"], extra_body=GREEDY)
    assert message.stop_sequence == "Paris"


class Place(BaseModel):
    city: str = Field(max_length=20)


WEATHER: Any = {"name": "weather", "description": "Tells the weather.", "input_schema": Place.model_json_schema()}


def test_a_tool_that_must_be_called_is_called_and_its_result_is_read(client: anthropic.Anthropic) -> None:
    question: Any = {"role": "user", "content": "What is the weather in Rome?"}
    forced: Any = {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "weather"}, "extra_body": GREEDY}
    with client.messages.stream(model="starter", max_tokens=80, messages=[question], **forced) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    [call] = message.content
    assert (call.type, message.stop_reason) == ("tool_use", "tool_use")
    assert call.type == "tool_use"
    assert Place.model_validate_json("".join(pieces)) == Place.model_validate(call.input)
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."}
    turns: Any = [question, message.to_param(), {"role": "user", "content": [result]}]
    asked: Any = {"model": "starter", "messages": turns, "tools": [WEATHER]}
    answer = client.messages.create(**asked, max_tokens=8, extra_body=GREEDY)
    assert answer.usage.output_tokens == 8
    prompt_tokens = answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)
    assert client.messages.count_tokens(**asked).input_tokens == prompt_tokens


class Rating(BaseModel):
    """The client tells a model of lengths and ranges in words only, so there are none."""

    city: Literal["Rome", "Oslo"]
    warm: bool


def test_a_class_is_filled(client: anthropic.Anthropic) -> None:
    asked: Any = {"role": "user", "content": "Rate a city, as JSON."}
    message = client.messages.parse(model="starter", max_tokens=60, messages=[asked], output_format=Rating)
    assert isinstance(message.parsed_output, Rating)
