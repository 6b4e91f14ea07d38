"""OpenAI's completions and log-probabilities on the starter model, by OpenAI's own client."""

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.end_to_end.live_process import LiveProcess

pytestmark = pytest.mark.real_model

COUNTING: dict[str, Any] = {"model": "starter", "prompt": "1, 2, 3, 4,", "max_tokens": 6, "temperature": 0}
CHAT: dict[str, Any] = {
    "model": "starter",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 6,
    "temperature": 0,
    "logprobs": True,
    "top_logprobs": 2,
}


@pytest.fixture
def client(starter_server: LiveProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def test_text_goes_on_with_the_space_that_it_needs(client: openai.OpenAI) -> None:
    completion = client.completions.create(**COUNTING)
    assert completion.choices[0].text.startswith(" 5,")
    streamed = client.completions.create(**COUNTING, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == completion.choices[0].text


def test_prompts_side_by_side_are_continued_as_alone(client: openai.OpenAI) -> None:
    prompts = ["1, 2, 3, 4,", "a, b, c, d,"]
    together = client.completions.create(**{**COUNTING, "prompt": prompts})
    alone = [client.completions.create(**{**COUNTING, "prompt": prompt}) for prompt in prompts]
    assert [choice.text for choice in together.choices] == [completion.choices[0].text for completion in alone]


def test_a_harness_can_score_what_it_wrote_itself(client: openai.OpenAI) -> None:
    """By echo and logprobs, as programs that evaluate models do: the true sentence is the likelier one."""
    sentences = [f"The capital of France is {city}" for city in ("Paris", "Potatoes")]
    scored = client.completions.create(model="starter", prompt=sentences, max_tokens=1, echo=True, logprobs=1)
    scores = []
    for choice, sentence in zip(scored.choices, sentences, strict=True):
        assert choice.text.startswith(sentence)
        assert choice.logprobs is not None
        figures: list[Any] = choice.logprobs.token_logprobs or []
        assert figures[0] is None
        scores.append(math.fsum(figures[1:-1]))
    assert scores[0] > scores[1]


def test_the_tokens_of_a_chat_are_its_text(client: openai.OpenAI) -> None:
    choice = client.chat.completions.create(**CHAT).choices[0]
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert b"".join(bytes(token.bytes or ()) for token in tokens).decode() == choice.message.content
    assert all(token.top_logprobs[0].logprob == token.logprob <= 0 for token in tokens)
    assert all(len(token.top_logprobs) == 2 for token in tokens)
