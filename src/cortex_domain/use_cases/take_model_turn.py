"""Use case: have an agent's model take its next step, and write down what it says."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import Final

from cortex_domain.agent_compaction import compaction
from cortex_domain.agent_prompt import step_request
from cortex_domain.agent_run_events import (
    AgentReasoningDelta,
    AgentRunEvent,
    AgentTextDelta,
    AgentToolCall,
    ModelTurnFinished,
    ModelTurnStarted,
)
from cortex_domain.agent_run_fold import read_arguments
from cortex_domain.agent_run_log import AgentRunLog
from cortex_domain.agent_steps import BeginTurn
from cortex_domain.agent_toolbox import AgentToolbox
from cortex_domain.errors import (
    ContextWindowExceededError,
    CortexError,
    DeadlineExceededError,
    ResourceUnavailableError,
    ShuttingDownError,
)
from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import GenerationEvent, ReasoningDelta, TextDelta
from cortex_domain.generation import Choice, FinishReason, GenerationRequest, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_domain.messages import ToolCallPart
from cortex_domain.ports import Clock

GenerateTextCall = Callable[[GenerationRequest], AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]]
"""The use case `GenerateText`, or something around it that keeps its promises."""

ATTEMPTS: Final = 4
"""How often a step is tried when the text generator is short of something."""
DELTA_EVERY_S: Final = 0.1
"""Text is written down when so many seconds have passed since the last time: writing costs a disk milliseconds."""


class ModelFailedError(Exception):
    """The model cannot take this step. Not for callers of use cases.

    Attributes:
        error: Why.
    """

    def __init__(self, error: CortexError) -> None:
        super().__init__(error.message)
        self.error = error


class TakeModelTurn:
    """Asks the model, again where it was short of something, and shortens what is too long for it.

    Args:
        generate_text: Asks a model.
        clock: Tells the time, and waits before asking again.
        default_model: Who answers for agents that name no model.
    """

    def __init__(self, *, generate_text: GenerateTextCall, clock: Clock, default_model: ModelId) -> None:
        self._generate_text = generate_text
        self._clock = clock
        self._default_model = default_model

    async def __call__(self, log: AgentRunLog, step: BeginTurn, toolbox: AgentToolbox, /) -> None:
        """Takes one step; the run's log has it then, whole.

        Raises:
            ModelFailedError: It cannot be taken.
            ShuttingDownError: Cortex stops; the step is taken when it runs again.
            AgentRunOverError: Others have ended the run.
            StorageError: The log cannot be written.
        """
        attempts = 0
        while True:
            try:
                return await self._take(log, step, toolbox)
            except _ModelError as failure:
                attempts += 1
                await self._after(failure.error, log, attempts)

    async def _take(self, log: AgentRunLog, step: BeginTurn, toolbox: AgentToolbox) -> None:
        await log.append(ModelTurnStarted(turn=step.turn, without_tools=step.without_tools))
        request = step_request(log.state, toolbox, default_model=self._default_model)
        rules, saying = GenerationRules(), _Saying(turn=step.turn, since_s=self._clock.monotonic_s())
        async with aclosing(self._events(request)) as events:
            async for event in events:
                rules.accept(event)
                saying.take(event)
                if saying.is_due(self._clock.monotonic_s()):
                    await log.append(*saying.flush(self._clock.monotonic_s()))
        rules.close()
        assert rules.finished is not None
        await self._settle(log, request, rules.choices[0], rules.finished.usage, saying)

    async def _events(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Passes on what the model does; its errors are told from those of the log."""
        try:
            async with self._generate_text(request) as events:
                async for event in events:
                    yield event
        except CortexError as error:
            raise _ModelError(error) from error

    async def _settle(
        self, log: AgentRunLog, request: GenerationRequest, choice: Choice, usage: TokenUsage, saying: "_Saying"
    ) -> None:
        window_is_full = choice.finish_reason is FinishReason.LENGTH and usage.completion_tokens < (
            request.max_tokens or 0
        )
        if window_is_full and (shorter := compaction(log.state)) is not None:
            await log.append(*saying.flush(0.0), shorter)
            raise _ModelError(_WindowFullError("The answer did not fit beside the context."))
        calls = _calls(saying.turn, choice)
        finished = ModelTurnFinished(
            turn=saying.turn,
            finish_reason=choice.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            problem=None if calls else choice.detail,
        )
        await log.append(*saying.flush(0.0), *calls, finished)

    async def _after(self, error: CortexError, log: AgentRunLog, attempts: int) -> None:
        """Prepares another attempt, if there is to be one."""
        if isinstance(error, ShuttingDownError):
            raise error
        if isinstance(error, _WindowFullError):
            return
        if isinstance(error, ContextWindowExceededError):
            await self._shorten(error, log)
        elif _may_pass(error) and attempts < ATTEMPTS:
            assert isinstance(error, ResourceUnavailableError)
            await self._clock.sleep(2.0**attempts if error.retry_after_s is None else error.retry_after_s)
        else:
            raise ModelFailedError(error) from error

    async def _shorten(self, error: ContextWindowExceededError, log: AgentRunLog) -> None:
        shorter = compaction(log.state)
        if shorter is None:
            raise ModelFailedError(error) from error
        await log.append(shorter)


class _ModelError(Exception):
    """Carries what the text generator raised."""

    def __init__(self, error: CortexError) -> None:
        super().__init__(error.message)
        self.error = error


class _WindowFullError(CortexError):
    """An answer was cut by the end of the window, and the context can be made shorter."""

    code = "window_full"


def _may_pass(error: CortexError) -> bool:
    return isinstance(error, ResourceUnavailableError) and not isinstance(error, DeadlineExceededError)


@dataclass(slots=True, kw_only=True)
class _Saying:
    """What the model has said and thought, and the log does not have yet."""

    turn: int
    since_s: float
    reasoning: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def take(self, event: GenerationEvent) -> None:
        if isinstance(event, ReasoningDelta):
            self.reasoning.append(event.text)
        elif isinstance(event, TextDelta):
            self.text.append(event.text)

    def is_due(self, now_s: float) -> bool:
        return bool(self.reasoning or self.text) and now_s - self.since_s >= DELTA_EVERY_S

    def flush(self, now_s: float) -> list[AgentRunEvent]:
        """Takes what there is as events."""
        reasoning, text = "".join(self.reasoning), "".join(self.text)
        self.reasoning, self.text, self.since_s = [], [], now_s
        events: list[AgentRunEvent] = [AgentReasoningDelta(turn=self.turn, text=reasoning)] if reasoning else []
        return [*events, AgentTextDelta(turn=self.turn, text=text)] if text else events


def _calls(turn: int, choice: Choice) -> list[AgentToolCall]:
    """Names the calls by their places, so that their ids differ within the run whatever the model calls them."""
    last = len(choice.tool_calls)
    return [
        AgentToolCall(
            turn=turn,
            call_id=f"call_{turn}_{place}",
            name=call.name,
            arguments=call.arguments,
            problem=_problem(call, choice, is_last=place == last),
        )
        for place, call in enumerate(choice.tool_calls, start=1)
    ]


def _problem(call: ToolCallPart, choice: Choice, *, is_last: bool) -> str | None:
    if is_last and choice.detail is not None:
        return choice.detail
    if read_arguments(call.arguments) is None:
        return "Its arguments are not a whole JSON object."
    return None
