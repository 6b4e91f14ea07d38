"""Prompt counters that are wrong in one way each."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.prompt_counter import PromptCounterHarness
from cortex_domain.errors import ContextWindowExceededError, ModelNotLoadedError
from cortex_domain.generation import GenerationRequest
from cortex_domain.ports import PromptCounter


class _Passing(PromptCounter):
    """Wrong in no way yet: passes on what it is asked."""

    def __init__(self, harness: PromptCounterHarness) -> None:
        self._harness = harness
        self._inner = harness.counter

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        return await self._inner.count_prompt(request)


class _CountsLastMessage(_Passing):
    """Forgets what was said before."""

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        return await super().count_prompt(replace(request, messages=request.messages[-1:]))


class _RefusesLongPrompts(_Passing):
    """Holds a prompt to the context window, as an answer would be."""

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        prompt_tokens, window = await super().count_prompt(request), self._harness.model.context_window
        if prompt_tokens >= window:
            raise ContextWindowExceededError(prompt_tokens=prompt_tokens, max_tokens=None, context_window=window)
        return prompt_tokens


class _Answers(_Passing):
    """Begins to answer what it counts, and never leaves."""

    def __init__(self, harness: PromptCounterHarness) -> None:
        super().__init__(harness)
        self._open = AsyncExitStack()

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        if request.max_tokens == 1000:
            await self._open.enter_async_context(self._harness.generator.generate_text(replace(request, max_tokens=1)))
        return await super().count_prompt(request)


class _CountsForAll(_Passing):
    """Takes every model's prompts for empty ones that it does not know."""

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        try:
            return await super().count_prompt(request)
        except ModelNotLoadedError:
            return 0


class _CountsEachAnswer(_Passing):
    """Counts the prompt once for each answer."""

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        return request.n * await super().count_prompt(request)


def _breakage(
    requirement_id: str, broken: Callable[[PromptCounterHarness], PromptCounter]
) -> Breakage[PromptCounterHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, counter=broken(harness)))


BROKEN_PROMPT_COUNTERS = (
    _breakage("prompt_counter.counts_what_is_read", _CountsLastMessage),
    _breakage("prompt_counter.counts_beyond_window", _RefusesLongPrompts),
    _breakage("prompt_counter.takes_no_place", _Answers),
    _breakage("prompt_counter.unloaded_model_refused", _CountsForAll),
    _breakage("prompt_counter.undeclared_refused", _CountsEachAnswer),
)
