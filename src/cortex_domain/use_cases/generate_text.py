"""Use case: continue a chat by one answer."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from cortex_domain.errors import (
    DeadlineExceededError,
    MemoryPressureError,
    ModelNotLoadedError,
)
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import Clock, TextGenerator
from cortex_domain.use_cases.describe_model import DescribeModel
from cortex_domain.use_cases.load_model import LoadModel
from cortex_domain.use_cases.make_room import MakeRoom

_LOADS = 3
"""How often a model that others unload meanwhile is loaded for one request."""


class GenerateText:
    """Resolves the model, loads it on first use and hands the request to the text generator."""

    def __init__(
        self,
        *,
        describe_model: DescribeModel,
        load_model: LoadModel,
        residency: ModelResidency,
        make_room: MakeRoom,
        generator: TextGenerator,
        clock: Clock,
    ) -> None:
        self._describe_model = describe_model
        self._load_model = load_model
        self._residency = residency
        self._make_room = make_room
        self._generator = generator
        self._clock = clock

    def __call__(self, request: GenerationRequest, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Generates one answer; the events are the text generator's own, see `cortex_domain.event_stream`.

        Raises:
            RequestRefusedError: On entering; the request or its model must change.
            ResourceUnavailableError: On entering or iterating; the same request may succeed later.
        """
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        began_s = self._clock.monotonic_s()
        descriptor = await self._describe_model.while_loaded(request.model)
        descriptor.require_capabilities(request.needs)
        # From before it is loaded until the block is left, so that nobody else's load pushes the model out.
        with self._residency.using(descriptor.id, keep_alive_s=request.keep_alive_s):
            async with AsyncExitStack() as stack:
                yield await self._load_and_enter(stack, replace(request, model=descriptor.id), began_s)

    async def _load_and_enter(
        self, stack: AsyncExitStack, request: GenerationRequest, began_s: float
    ) -> AsyncIterator[GenerationEvent]:
        """Loads the model and has the request accepted; does both again when somebody unloads it in between."""
        for _ in range(_LOADS - 1):
            await self._load_model(request.model)
            with suppress(ModelNotLoadedError):
                return await self._enter(stack, request, began_s)
        await self._load_model(request.model)
        return await self._enter(stack, request, began_s)

    async def _enter(
        self, stack: AsyncExitStack, request: GenerationRequest, began_s: float
    ) -> AsyncIterator[GenerationEvent]:
        """Has the request accepted, in place of idle models if memory is short."""
        while True:
            try:
                remaining = self._with_remaining_time(request, began_s)
                return await stack.enter_async_context(self._generator.generate_text(remaining))
            except MemoryPressureError as refusal:
                await self._make_room(refusal)

    def _with_remaining_time(self, request: GenerationRequest, began_s: float) -> GenerationRequest:
        """Takes the time that loading took off the request's."""
        if request.timeout_s is None:
            return request
        timeout_s = request.timeout_s - (self._clock.monotonic_s() - began_s)
        if timeout_s <= 0:
            raise DeadlineExceededError
        return replace(request, timeout_s=timeout_s)
