"""The Responses API on the starter model, by OpenAI's own client."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel, Field

from tests.end_to_end.live_process import LiveProcess

pytestmark = pytest.mark.real_model

ASKED: dict[str, Any] = {"model": "starter", "temperature": 0, "max_output_tokens": 12}
QUESTION = "What is the capital of France?"


@pytest.fixture
def client(starter_server: LiveProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def test_a_conversation_that_is_kept_is_the_one_that_is_sent(client: openai.OpenAI) -> None:
    first = client.responses.create(**ASKED, input=QUESTION)
    assert "Paris" in first.output_text
    kept = client.responses.create(**ASKED, input="And of Italy?", previous_response_id=first.id)
    items: Any = [
        {"role": "user", "content": QUESTION},
        *first.output,
        {"role": "user", "content": "And of Italy?"},
    ]
    sent = client.responses.create(**ASKED, input=items, store=False)
    assert kept.output_text == sent.output_text
    assert kept.usage is not None
    assert sent.usage is not None
    assert kept.usage.input_tokens == sent.usage.input_tokens
    assert kept.usage.input_tokens_details.cached_tokens > 0


def test_a_stream_says_the_same(client: openai.OpenAI) -> None:
    whole = client.responses.create(**ASKED, input=QUESTION)
    with client.responses.stream(**ASKED, input=QUESTION) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))


class City(BaseModel):
    name: str = Field(max_length=20)
    inhabitants: int = Field(ge=0, le=99_000_000)


def test_a_class_is_filled(client: openai.OpenAI) -> None:
    asked: Any = {**ASKED, "max_output_tokens": 80, "input": "Describe the city of Rome as JSON."}
    assert isinstance(client.responses.parse(**asked, text_format=City).output_parsed, City)


WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}


def test_a_function_is_called_and_its_output_answered(client: openai.OpenAI) -> None:
    asked: Any = {**ASKED, "max_output_tokens": 60, "tools": [WEATHER]}
    with client.responses.stream(
        **asked, input="How is the weather in Rome?", tool_choice={"type": "function", "name": "get_weather"}
    ) as stream:
        events = list(stream)
        first = stream.get_final_response()
    [call] = first.output
    assert call.type == "function_call"
    assert json.loads(call.arguments).keys() == {"city", "unit"}
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == call.arguments
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 25 degrees."}]
    second = client.responses.create(**asked, input=output, previous_response_id=first.id, tool_choice="none")
    assert second.output_text
    assert [item.type for item in second.output] == ["message"]


def test_one_in_the_background_says_the_same(client: openai.OpenAI) -> None:
    whole = client.responses.create(**ASKED, input=QUESTION)
    begun = client.responses.create(**ASKED, input=QUESTION, background=True)
    with client.responses.stream(response_id=begun.id) as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert "".join(texts) == whole.output_text
    assert client.responses.retrieve(begun.id).output_text == whole.output_text
