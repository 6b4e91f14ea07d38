"""A chat in which the model uses Cortex's own tools, as it stands after each of its rounds. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cortex_domain.errors import InvalidToolArgumentsError
from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import Choice, FinishReason, GenerationRequest, TokenUsage, new_generation_id
from cortex_domain.messages import ContentPart, Message, ReasoningPart, Role, TextPart, ToolCallPart
from cortex_domain.tool_execution import ToolCall, ToolError, ToolFinished
from cortex_domain.tool_plan import tool_call_of
from cortex_domain.tool_result_text import result_part
from cortex_domain.tools import ToolChoice, ToolChoiceMode


class ToolChat:
    """Follows the rounds of one chat, and writes the request of the next one.

    Args:
        request: The chat, with the tools that are offered.
        first_choice: Whether the first round uses tools; later ones are free to.
        warnings: What its first event warns of besides.
        max_rounds: Rounds that may use tools, at least 1.
    """

    def __init__(
        self, request: GenerationRequest, *, first_choice: ToolChoice, warnings: Sequence[str], max_rounds: int
    ) -> None:
        self._request = request
        self._first_choice = first_choice
        self._warnings = tuple(warnings)
        self._max_rounds = max_rounds
        self._messages = list(request.messages)
        self._ended: list[GenerationFinished] = []
        self._calls_before = 0
        self._answer = GenerationRules()
        self.has_read_untrusted = False

    @property
    def owner(self) -> str | None:
        """On whose behalf tools are used; None when nobody told."""
        return self._request.owner or None

    @property
    def wants_tools(self) -> bool:
        """Whether the round that ended asks for tools."""
        return self._ended[-1].finish_reason is FinishReason.TOOL_CALLS

    def request(self, *, timeout_s: float | None) -> GenerationRequest:
        """Writes the next round's request, with a generation id of its own.

        Args:
            timeout_s: What is left of the time; None when there is no end to it.
        """
        choice = ToolChoice() if self._ended else self._first_choice
        if len(self._ended) >= self._max_rounds:
            choice = ToolChoice(mode=ToolChoiceMode.NONE)
        return replace(
            self._request,
            messages=tuple(self._messages),
            tool_choice=choice,
            timeout_s=timeout_s,
            generation_id=new_generation_id(),
        )

    def follow(self, event: GenerationEvent, /) -> Iterator[GenerationEvent]:
        """Takes an event of a round and tells what it is in the whole chat, if anything.

        Raises:
            ContractViolationError: It breaks the order of events.
        """
        self._answer.accept(event)
        match event:
            case GenerationStarted():
                yield from self._started(event)
            case GenerationFinished():
                self._end_round(event)
            case ToolCallDelta() | ToolCallFinished():
                yield replace(event, index=event.index + self._calls_before)
            case _:
                yield event

    def calls(self) -> tuple[list[ToolCall], list[ToolFinished]]:
        """Reads what the round that ended asks for; of what cannot be read, tells why."""
        readable: list[ToolCall] = []
        failed: list[ToolFinished] = []
        for part in self._messages[-1].tool_calls:
            try:
                readable.append(tool_call_of(part))
            except InvalidToolArgumentsError as error:
                failed.append(_failed(part, error))
        return readable, failed

    def take(self, results: Sequence[ToolFinished], /) -> None:
        """Takes what came of the calls; the model is told in the order in which it asked."""
        by_call = {result.call_id: result for result in results}
        for part in self._messages[-1].tool_calls:
            self._messages.append(Message(role=Role.TOOL, parts=(result_part(by_call[part.id]),)))
        self.has_read_untrusted |= any(not result.is_trusted for result in results)

    def finished(self) -> GenerationFinished:
        """Adds up all rounds to the last event."""
        return replace(self._ended[-1], usage=_sum([end.usage for end in self._ended]), timings=self._ended[0].timings)

    def out_of_time(self) -> GenerationFinished:
        """The last event of a chat whose time ended while tools were used."""
        return replace(self.finished(), finish_reason=FinishReason.CANCELLED)

    def _started(self, event: GenerationStarted) -> Iterator[GenerationStarted]:
        if not self._ended:
            warnings = (*event.warnings, *self._warnings)
            yield replace(event, generation_id=self._request.generation_id, warnings=warnings)

    def _end_round(self, event: GenerationFinished) -> None:
        answer = self._answer.choices[0]
        self._ended.append(event)
        self._messages.append(_message(answer))
        self._calls_before += len(answer.tool_calls)
        self._answer = GenerationRules()


def _message(answer: Choice) -> Message:
    parts: list[ContentPart] = []
    if answer.reasoning:
        parts.append(ReasoningPart(text=answer.reasoning))
    if answer.text:
        parts.append(TextPart(text=answer.text))
    return Message(role=Role.ASSISTANT, parts=(*parts, *answer.tool_calls))


def _failed(part: ToolCallPart, error: InvalidToolArgumentsError) -> ToolFinished:
    told = ToolError(code=error.code, message=error.message)
    return ToolFinished(call_id=part.id, name=part.name, status="error", error=told, attempts=0)


def _sum(usages: Sequence[TokenUsage]) -> TokenUsage:
    return TokenUsage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_prompt_tokens=sum(usage.cached_prompt_tokens for usage in usages),
        cache_miss=usages[0].cache_miss,
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )
