"""Cortex itself, without a server: what the library gives a program that embeds it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from cortex_domain import (
    ChoiceFinished,
    CortexError,
    GenerationFinished,
    GenerationRequest,
    GenerationStarted,
    ModelId,
    PrefillProgress,
    ReasoningDelta,
    SamplingParameters,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
    user_message,
)
from cortex_entrypoints.bench.answer_progress import AnswerProgress
from cortex_entrypoints.bench.dialects import StreamNews
from cortex_entrypoints.bench.measurements import Answer, Usage
from cortex_entrypoints.bench.target import Sampling, Target, TargetFacts
from cortex_entrypoints.container import EnginePlacement, open_cortex
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings
from cortex_entrypoints.version import installed_version


class InProcessTarget(Target):
    """Measures the use case `generate_text`, with its engine where the server has it: in a worker process."""

    def __init__(
        self,
        settings: Settings,
        *,
        model: str | None,
        fetch: Callable[[Cortex, str], Awaitable[None]],
        timeout_s: float,
    ) -> None:
        """Starts nothing yet.

        Args:
            settings: What to run.
            model: Id or alias of the model that answers; None takes the default model.
            fetch: Gets a model that has this id or alias, unless it is here.
            timeout_s: Seconds after which an answer counts as failed.
        """
        self._settings, self._model, self._fetch, self._timeout_s = settings, model, fetch, timeout_s
        self._open = AsyncExitStack()

    @property
    def facts(self) -> TargetFacts:
        """The model and the device."""
        status = self._cortex.engine_monitor.status()
        details = {"model": self._model_id, "version": installed_version(), "device": status.device.value}
        return TargetFacts(name="cortex in process", kind="in-process", details=details)

    async def __aenter__(self) -> Self:
        """Starts the engine, and has the model fetched if it is not here.

        Raises:
            CortexError: There is no such model, or it cannot be fetched or run.
        """
        opening = open_cortex(self._settings, placement=EnginePlacement.PROCESS)
        self._cortex: Cortex = await self._open.enter_async_context(opening)
        name = self._model or self._cortex.default_model
        await self._fetch(self._cortex, name)
        self._model_id: ModelId = (await self._cortex.describe_model(name)).id
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops the engine."""
        await self._open.aclose()

    async def answer_all(
        self, prompts: Sequence[str], sampling: Sampling, *, on_answer: Callable[[], None]
    ) -> Sequence[Answer]:
        """Asks all prompts at once."""
        return await asyncio.gather(*(self._answer(self._request(prompt, sampling), on_answer) for prompt in prompts))

    def _request(self, prompt: str, sampling: Sampling) -> GenerationRequest:
        return GenerationRequest(
            model=self._model_id,
            messages=(user_message(prompt),),
            sampling=SamplingParameters(temperature=sampling.temperature, top_p=sampling.top_p),
            max_tokens=sampling.max_tokens,
        )

    async def _answer(self, request: GenerationRequest, on_answer: Callable[[], None]) -> Answer:
        progress = AnswerProgress()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._follow(request, progress)
        except CortexError as exc:
            progress.fail(exc.message)
        except TimeoutError:
            progress.fail(f"no complete answer within {self._timeout_s:g} s")
        on_answer()
        return progress.answer()

    async def _follow(self, request: GenerationRequest, progress: AnswerProgress) -> None:
        async with self._cortex.generate_text(request) as events:
            async for event in events:
                match event:
                    case TextDelta() | ReasoningDelta():
                        progress.take(StreamNews(has_text=True))
                    case GenerationFinished():
                        progress.take(_ending(event))
                    case (
                        GenerationStarted()
                        | PrefillProgress()
                        | ToolCallDelta()
                        | ToolCallFinished()
                        | ChoiceFinished()
                    ):
                        pass


def _ending(event: GenerationFinished) -> StreamNews:
    usage = Usage(
        prompt_tokens=event.usage.prompt_tokens,
        cached_prompt_tokens=event.usage.cached_prompt_tokens,
        completion_tokens=event.usage.completion_tokens,
    )
    return StreamNews(usage=usage, finish_reason=event.finish_reason.value, is_last=True)
