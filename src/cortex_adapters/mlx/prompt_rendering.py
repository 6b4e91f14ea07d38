"""Renders a chat to prompt tokens: the model's own chat template, then its tokenizer.

A template is a program that came with the model. It runs in the sandbox that transformers gives it, off the engine's
thread, and is stopped at a deadline.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import jinja2

from cortex_adapters.mlx.abortable_thread import AbortableThread
from cortex_adapters.mlx.fair_queue import FairQueue, shares_of
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress
from cortex_adapters.mlx.literal_texts import LiteralTexts
from cortex_adapters.mlx.raw_prompts import encode_prompt, longest_text
from cortex_adapters.mlx.tool_form import ToolForm
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.errors import CortexError, GeneratorFailedError, InvalidModelError, InvalidRequestError
from cortex_domain.messages import Message

RENDERING_DEADLINE_S = 10.0
_RENDERINGS_AT_ONCE = 2

CompileGrammar = Callable[[Job], CompiledGrammar | None]


class Tokenizer(Protocol):
    """What is used of mlx-lm's tokenizer wrapper."""

    has_chat_template: bool

    def apply_chat_template(
        self,
        conversation: Sequence[dict[str, Any]],
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        **arguments: object,
    ) -> str:
        """Renders the chat to text."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Turns text into token ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPrompt:
    """What became of a job's chat.

    Attributes:
        job: The job.
        outcome: Token ids, at least one; or why there are none.
        grammar: What its answer is held to, compiled; None leaves it free.
        progress: How far the job was; None when it is new.
    """

    job: Job
    outcome: tuple[int, ...] | CortexError
    grammar: CompiledGrammar | None = None
    progress: JobProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendering:
    job: Job
    render: Callable[[], RenderedPrompt]


class PromptQueue:
    """Renders prompts on threads, a few at once, in fair order.

    Every method belongs to one thread.

    Args:
        on_rendered: Called for each prompt that was not dropped, on some thread. Whoever it tells calls `take_away`.
        deadline_s: Seconds that one rendering may take.
    """

    def __init__(
        self, on_rendered: Callable[[RenderedPrompt], None], *, deadline_s: float = RENDERING_DEADLINE_S
    ) -> None:
        self._on_rendered = on_rendered
        self._deadline_s = deadline_s
        self._waiting: FairQueue[_Rendering] = FairQueue()
        self._running: dict[JobId, tuple[Job, AbortableThread[RenderedPrompt]]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any chat is being rendered or waits for it."""
        return bool(self._running or self._waiting)

    def add(
        self,
        job: Job,
        tokenizer: Tokenizer,
        *,
        context_window: int | None,
        special_texts: Collection[str] = (),
        compile_grammar: CompileGrammar | None = None,
        reasoning_key: str | None = None,
        template_arguments: Mapping[str, object] = MappingProxyType({}),
        tool_form: ToolForm | None = None,
    ) -> None:
        """Has a job's chat rendered, see `render_prompt`, or its prompt encoded, and its grammar compiled."""
        if job.prompt is None:
            render = partial(
                render_prompt,
                tokenizer,
                job.messages,
                context_window=context_window,
                special_texts=special_texts,
                reasoning_key=reasoning_key,
                template_arguments=template_arguments,
                tool_form=tool_form,
                tool_use=job.tools,
            )
        else:
            render = partial(encode_prompt, tokenizer, job.prompt, context_window=context_window)
        self._add(job, lambda: RenderedPrompt(job=job, outcome=render(), grammar=_compiled(job, compile_grammar)))

    def add_known(self, job: Job, progress: JobProgress, *, compile_grammar: CompileGrammar) -> None:
        """Has the grammar compiled of a job whose prompt is rendered already."""
        self._add(
            job,
            lambda: RenderedPrompt(
                job=job, outcome=progress.prompt, grammar=_compiled(job, compile_grammar), progress=progress
            ),
        )

    def drop(self, job_id: JobId) -> None:
        """Forgets a job's chat; one that is not here is left alone."""
        self._waiting.drop(job_id)
        if job_id in self._running:
            _, thread = self._running.pop(job_id)
            thread.abort()
            self._start_next()

    def take_away(self, rendered: RenderedPrompt) -> bool:
        """Ends a rendering whose outcome has arrived; returns whether anybody still wants it."""
        is_wanted = self._running.pop(rendered.job.id, None) is not None
        self._start_next()
        return is_wanted

    def close(self) -> None:
        """Ends what runs."""
        self._waiting.clear()
        for _, thread in self._running.values():
            thread.abort()

    def _add(self, job: Job, render: Callable[[], RenderedPrompt]) -> None:
        self._waiting.add(job, _Rendering(job=job, render=render))
        self._start_next()

    def _start_next(self) -> None:
        while len(self._running) < _RENDERINGS_AT_ONCE and (following := self._take_next()) is not None:
            job = following.job
            thread = AbortableThread(following.render, deadline_s=self._deadline_s, on_end=partial(self._tell, job))
            self._running[job.id] = job, thread

    def _take_next(self) -> _Rendering | None:
        following = self._waiting.first(shares_of(job for job, _ in self._running.values()))
        if following is not None:
            self._waiting.take(following.job.id)
        return following

    def _tell(self, job: Job, outcome: RenderedPrompt | Exception) -> None:
        if isinstance(outcome, Exception):
            outcome = RenderedPrompt(job=job, outcome=self._translated(job, outcome))
        self._on_rendered(outcome)

    def _translated(self, job: Job, error: Exception) -> CortexError:
        if isinstance(error, CortexError):
            return error
        if isinstance(error, TimeoutError | MemoryError):
            return self._too_long(job)
        # Only the type: what a tokenizer says of a text may quote it.
        return GeneratorFailedError(f"The prompt could not be rendered: {type(error).__name__}.")

    def _too_long(self, job: Job) -> CortexError:
        within = f"within {self._deadline_s:g} s and the memory at hand"
        if job.counts_only:  # of any length, so it need not be the template's fault
            return InvalidRequestError(
                f"The prompt could not be counted {within}. Shorten the messages.", parameter="messages"
            )
        if job.grammar is not None:
            return InvalidRequestError(
                f"What the output is bound to was not understood {within}.", parameter=job.grammar.parameter
            )
        return InvalidModelError(model_id=job.model_id, reason=f"its chat template did not end {within}")


def _compiled(job: Job, compile_grammar: CompileGrammar | None) -> CompiledGrammar | None:
    return None if compile_grammar is None or job.counts_only else compile_grammar(job)


def render_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    context_window: int | None,
    special_texts: Collection[str] = (),
    reasoning_key: str | None = None,
    template_arguments: Mapping[str, object] = MappingProxyType({}),
    tool_form: ToolForm | None = None,
    tool_use: ToolUse | None = None,
) -> tuple[int, ...]:
    """Renders a chat, ready for the assistant's turn, to token ids.

    A text that is far beyond the context window is cut before it is tokenized, to a length that is beyond it too.

    Args:
        tokenizer: The model's.
        messages: The chat.
        context_window: In tokens; None cuts nothing.
        special_texts: Texts that the tokenizer turns into control tokens. Only the template's own become such; in a
            message they are ordinary text.
        reasoning_key: Where the template looks for what an assistant's message thought; None when it does not.
        template_arguments: What else the template is told.
        tool_form: How the model is told of tools; needed when there are tools, or calls among the messages.
        tool_use: The tools; None when there are none.

    Raises:
        InvalidRequestError: The template refuses these messages, they render to nothing, or there is no template.
        Exception: Whatever the tokenizer raises.
    """
    if not tokenizer.has_chat_template:
        raise InvalidRequestError("This model has no chat template, so it cannot answer chats.", parameter="model")
    literal_texts = LiteralTexts(special_texts)
    write = partial(_as_template_message, literal_texts=literal_texts, reasoning_key=reasoning_key)
    conversation, arguments = list(map(write, messages)), dict(template_arguments)
    if tool_form is not None and (tool_use is not None or any(map(_has_tool_parts, messages))):
        conversation, tools = tool_form.conversation(messages, tool_use, write=write, take_out=literal_texts.take_out)
        arguments |= {"tools": tools} if tools else {}
    text = _apply_template(tokenizer, conversation, arguments)[: longest_text(context_window)]
    tokens = literal_texts.encode(text, partial(tokenizer.encode, add_special_tokens=False))
    if not tokens:
        raise InvalidRequestError("The messages render to an empty prompt.", parameter="messages")
    return tuple(tokens)


def _has_tool_parts(message: Message) -> bool:
    return bool(message.tool_calls or message.tool_results)


def _as_template_message(message: Message, literal_texts: LiteralTexts, reasoning_key: str | None) -> dict[str, Any]:
    plain = {"role": message.role.value, "content": literal_texts.take_out(message.text)}
    if reasoning_key is not None and message.reasoning:
        plain[reasoning_key] = literal_texts.take_out(message.reasoning)
    return plain


def _apply_template(
    tokenizer: Tokenizer, conversation: Sequence[dict[str, Any]], arguments: Mapping[str, object]
) -> str:
    try:
        return tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True, **arguments)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InvalidRequestError(
            f"The model's chat template refuses these messages: {error}", parameter="messages"
        ) from error
