import itertools
from collections.abc import Callable, Sequence

import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cortex_adapters.mlx.prompt_rendering import PromptRenderer
from cortex_domain.errors import GeneratorFailedError, InvalidModelError, InvalidRequestError
from cortex_domain.language_models import ModelId
from cortex_domain.messages import assistant_message, user_message

MODEL = ModelId("a/b")


class WordTokenizer:
    """A tokenizer of one token a word, with a chat template given as jinja source."""

    def __init__(self, template: str, *, has_chat_template: bool = True) -> None:
        self.has_chat_template = has_chat_template
        self._template = ImmutableSandboxedEnvironment().from_string(template)

    def apply_chat_template(
        self, conversation: Sequence[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        assert add_generation_prompt

        def raise_exception(message: str) -> None:
            raise jinja2.TemplateError(message)

        return self._template.render(messages=conversation, raise_exception=raise_exception)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [len(word) for word in text.split()]


class FailingTokenizer(WordTokenizer):
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        raise Exception("PanicException")  # noqa: TRY002 - what the tokenizers library raises


async def _render(
    tokenizer: WordTokenizer, *texts: str, deadline_s: float = 5.0, context_window: int = 100
) -> list[int]:
    speakers: list[Callable[..., object]] = [user_message, assistant_message]
    messages = [speak(text) for speak, text in zip(itertools.cycle(speakers), texts, strict=False)]
    renderer = PromptRenderer(deadline_s=deadline_s)
    return await renderer.render(tokenizer, messages, model_id=MODEL, context_window=context_window)  # type: ignore[arg-type]


CHAT = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}assistant"


async def test_the_chat_is_rendered_by_the_template_and_tokenized() -> None:
    assert await _render(WordTokenizer(CHAT), "hi there", "hello") == [4, 2, 5, 9, 5, 9]


async def test_a_template_that_does_not_end_is_stopped_and_the_next_one_runs() -> None:
    endless = WordTokenizer("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
    with pytest.raises(InvalidModelError, match="did not end"):
        await _render(endless, "hi", deadline_s=0.05)
    assert await _render(WordTokenizer(CHAT), "hi")


async def test_a_template_that_refuses_the_messages_refuses_the_request() -> None:
    picky = WordTokenizer("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InvalidRequestError, match="roles must alternate") as refusal:
        await _render(picky, "hi")
    assert refusal.value.parameter == "messages"


@pytest.mark.parametrize("template", ["{{ messages[7].content }}{{ 1 // 0 }}", "{{ messages + 1 }}", "{{ ''.x.y }}"])
async def test_a_template_that_stumbles_refuses_the_request(template: str) -> None:
    with pytest.raises(InvalidRequestError):
        await _render(WordTokenizer(template), "hi")


async def test_a_template_that_reaches_for_python_is_refused() -> None:
    escape = WordTokenizer("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(InvalidRequestError):
        await _render(escape, "hi")


async def test_a_model_without_a_template_cannot_chat() -> None:
    with pytest.raises(InvalidModelError, match="no chat template"):
        await _render(WordTokenizer(CHAT, has_chat_template=False), "hi")


async def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="empty prompt"):
        await _render(WordTokenizer(" "), "hi")


async def test_a_text_far_beyond_the_window_is_cut_before_it_is_tokenized_and_stays_beyond_it() -> None:
    tokens = await _render(WordTokenizer(CHAT), "word " * 100_000, context_window=100)
    assert 100 < len(tokens) < 1_000


async def test_a_tokenizer_that_fails_is_the_generators_fault() -> None:
    with pytest.raises(GeneratorFailedError, match="PanicException"):
        await _render(FailingTokenizer(CHAT), "hi")
