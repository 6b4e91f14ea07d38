"""Prompts are rendered off the engine's thread: in order, a few at once, and never for ever."""

import queue
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.jobs import Job, JobId
from cortex_adapters.mlx.prompt_rendering import PromptQueue, RenderedPrompt
from cortex_domain.errors import CortexError, GeneratorFailedError, InvalidModelError, InvalidRequestError
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.messages import user_message
from tests.adapters.mlx.word_tokenizer import CHAT, ENDLESS, WordTokenizer

PATIENCE_S = 60


class GatedTokenizer(WordTokenizer):
    """Renders once it is let through."""

    def __init__(self) -> None:
        super().__init__(CHAT)
        self.gate: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.entered: queue.SimpleQueue[str] = queue.SimpleQueue()

    def apply_chat_template(self, conversation: Sequence[dict[str, str]], **options: Any) -> str:
        self.entered.put(conversation[-1]["content"])
        self.gate.get(timeout=PATIENCE_S)
        return super().apply_chat_template(conversation, **options)


class PanicError(Exception):
    """What a tokenizer may raise: nothing that Python knows, with the text that it stumbled on."""


class FailingTokenizer(WordTokenizer):
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        raise PanicError(text)


class Rendering:
    """A queue, and what it tells."""

    def __init__(self, *, deadline_s: float = PATIENCE_S) -> None:
        self._told: queue.SimpleQueue[RenderedPrompt] = queue.SimpleQueue()
        self.queue = PromptQueue(self._told.put, deadline_s=deadline_s)

    def add(self, number: int, tokenizer: WordTokenizer) -> None:
        self.queue.add(_job(number), tokenizer, context_window=100)

    def next(self) -> RenderedPrompt:
        return self._told.get(timeout=PATIENCE_S)

    def outcome(self) -> tuple[int, ...] | CortexError:
        rendered = self.next()
        assert self.queue.take_away(rendered)
        return rendered.outcome


@pytest.fixture
def rendering() -> Iterator[Rendering]:
    rendering = Rendering()
    yield rendering
    rendering.queue.close()


def _job(number: int) -> Job:
    return Job(
        id=JobId(number),
        model_id=ModelId("a/b"),
        messages=(user_message(f"job-{number}"),),
        sampling=SamplingParameters(),
        max_tokens=None,
        default_max_tokens=1,
        stop=(),
        owner="",
        accepted_s=0.0,
    )


def test_a_chat_becomes_tokens(rendering: Rendering) -> None:
    rendering.add(1, WordTokenizer(CHAT))
    assert rendering.outcome() == (4, 5, 9)


def test_at_most_two_are_rendered_at_once_and_in_the_order_in_which_they_came(rendering: Rendering) -> None:
    tokenizer = GatedTokenizer()
    for number in range(1, 6):
        rendering.add(number, tokenizer)
    entered = {tokenizer.entered.get(timeout=PATIENCE_S) for _ in range(2)}
    assert entered == {"job-1", "job-2"}
    for following in ("job-3", "job-4", "job-5"):
        assert tokenizer.entered.empty()
        tokenizer.gate.put(None)
        assert rendering.queue.take_away(rendering.next())
        assert tokenizer.entered.get(timeout=PATIENCE_S) == following
    for _ in range(2):
        tokenizer.gate.put(None)
        assert rendering.queue.take_away(rendering.next())


def test_a_waiting_job_that_is_dropped_is_never_rendered(rendering: Rendering) -> None:
    tokenizer = GatedTokenizer()
    for number in range(1, 5):
        rendering.add(number, tokenizer)
    rendering.queue.drop(JobId(3))
    for _ in range(3):
        tokenizer.gate.put(None)
    rendered = set()
    for _ in range(3):
        prompt = rendering.next()
        assert rendering.queue.take_away(prompt)
        rendered.add(prompt.job.id)
    assert rendered == {1, 2, 4}
    assert {tokenizer.entered.get(timeout=PATIENCE_S) for _ in range(3)} == {"job-1", "job-2", "job-4"}
    assert tokenizer.entered.empty()


def test_a_running_job_that_is_dropped_makes_room_at_once(rendering: Rendering) -> None:
    rendering.add(1, WordTokenizer(ENDLESS))
    rendering.add(2, WordTokenizer(ENDLESS))
    rendering.add(3, WordTokenizer(CHAT))
    rendering.queue.drop(JobId(1))
    rendered = rendering.next()
    assert rendered.job.id == 3
    assert rendering.queue.take_away(rendered)


def test_an_outcome_that_was_on_its_way_when_the_job_was_dropped_is_ignored(rendering: Rendering) -> None:
    rendering.add(1, WordTokenizer(CHAT))
    rendered = rendering.next()
    rendering.queue.drop(JobId(1))
    assert not rendering.queue.take_away(rendered)
    rendering.add(2, WordTokenizer(CHAT))
    assert rendering.outcome() == (4, 5, 9)


def test_dropping_what_is_not_there_changes_nothing(rendering: Rendering) -> None:
    rendering.queue.drop(JobId(7))
    rendering.add(1, WordTokenizer(CHAT))
    assert rendering.outcome() == (4, 5, 9)


def test_a_template_that_does_not_end_is_stopped_and_the_next_one_runs() -> None:
    rendering = Rendering(deadline_s=0.2)
    rendering.add(1, WordTokenizer(ENDLESS))
    outcome = rendering.outcome()
    assert isinstance(outcome, InvalidModelError)
    assert "did not end" in outcome.reason
    rendering.add(2, WordTokenizer(CHAT))
    assert rendering.outcome() == (4, 5, 9)


def test_a_count_that_takes_too_long_is_not_blamed_on_the_model() -> None:
    rendering = Rendering(deadline_s=0.2)
    rendering.queue.add(replace(_job(1), counts_only=True), WordTokenizer(ENDLESS), context_window=None)
    outcome = rendering.outcome()
    assert isinstance(outcome, InvalidRequestError)
    assert outcome.parameter == "messages"


def test_a_grammar_that_takes_too_long_is_not_blamed_on_the_model() -> None:
    rendering = Rendering(deadline_s=0.2)
    held = replace(_job(1), grammar=Grammar(text="start: start", parameter="output.grammar"))
    rendering.queue.add(held, WordTokenizer(CHAT), context_window=100, compile_grammar=_compile_for_ever)
    outcome = rendering.outcome()
    assert isinstance(outcome, InvalidRequestError)
    assert outcome.parameter == "output.grammar"


def _compile_for_ever(_job: Job) -> None:
    while True:
        pass


def test_a_refusal_is_passed_on(rendering: Rendering) -> None:
    rendering.add(1, WordTokenizer("{{ raise_exception('roles must alternate') }}"))
    outcome = rendering.outcome()
    assert isinstance(outcome, InvalidRequestError)
    assert "roles must alternate" in outcome.message


def test_a_tokenizer_that_fails_is_the_generators_fault(rendering: Rendering) -> None:
    rendering.add(1, FailingTokenizer(CHAT))
    outcome = rendering.outcome()
    assert isinstance(outcome, GeneratorFailedError)
    assert outcome.message == "The prompt could not be rendered: PanicError."
