"""Anthropic's messages on the starter model, by Anthropic's own client."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

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
