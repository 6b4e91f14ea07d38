"""A chat in which the model used Cortex's own tools, as one answer."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from cortex_domain.errors import ContractViolationError
from cortex_domain.events import GenerationFinished, GenerationStarted, ReasoningDelta, TextDelta
from cortex_domain.generation import Choice, GenerationResult
from cortex_domain.token_logprobs import TokenLogprob
from cortex_domain.tool_execution import ToolFinished, ToolStarted
from cortex_domain.use_cases.chat_with_tools import ToolChatEvent
from cortex_entrypoints.http.response_bodies import ChatCompletion, ToolUse
from cortex_entrypoints.http.tool_answers import ToolInvocation


async def collect_tool_chat(events: AsyncIterator[ToolChatEvent], /) -> ChatCompletion:
    """Reads a chat to its end. Its text is what the model said in all rounds, as a stream has it.

    Raises:
        ContractViolationError: The stream stopped without its last event.
        CortexError: Whatever the stream itself raises.
    """
    collected = _Collected()
    async for event in events:
        collected.accept(event)
    return collected.answer()


class _Collected:
    """What came so far."""

    def __init__(self) -> None:
        self._started: GenerationStarted | None = None
        self._finished: GenerationFinished | None = None
        self._texts: list[str] = []
        self._reasonings: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._arguments: dict[str, Mapping[str, Any]] = {}
        self._results: list[ToolFinished] = []

    def accept(self, event: ToolChatEvent) -> None:
        match event:
            case GenerationStarted():
                self._started = event
            case TextDelta():
                self._texts.append(event.text)
                self._logprobs += event.logprobs
            case ReasoningDelta():
                self._reasonings.append(event.text)
            case ToolStarted():
                self._arguments[event.call_id] = event.arguments
            case ToolFinished():
                self._results.append(event)
            case GenerationFinished():
                self._finished = event
            case _:
                pass

    def answer(self) -> ChatCompletion:
        if self._started is None or self._finished is None:
            raise ContractViolationError("The event stream stopped without its last event.")
        result = GenerationResult(
            generation_id=self._started.generation_id,
            model=self._started.model,
            created_s=self._started.created_s,
            text="".join(self._texts),
            finish_reason=self._finished.finish_reason,
            choices=(self._choice(self._finished),),
            usage=self._finished.usage,
            timings=self._finished.timings,
            warnings=self._started.warnings,
        )
        return ChatCompletion.from_result(result, tool_uses=[self._use(result) for result in self._results])

    def _choice(self, finished: GenerationFinished) -> Choice:
        return Choice(
            text="".join(self._texts),
            reasoning="".join(self._reasonings),
            finish_reason=finished.finish_reason,
            stop_text=finished.stop_text,
            logprobs=tuple(self._logprobs),
            detail=finished.detail,
        )

    def _use(self, finished: ToolFinished) -> ToolUse:
        arguments = self._arguments.get(finished.call_id)
        return ToolUse(
            call_id=finished.call_id,
            name=finished.name,
            arguments=None if arguments is None else dict(arguments),
            result=ToolInvocation.of(finished),
        )
