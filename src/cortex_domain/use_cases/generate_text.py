"""Use case: continue a chat by one answer."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace

from cortex_domain.errors import MemoryPressureError, UnsupportedCapabilityError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelDescriptor
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import TextGenerator
from cortex_domain.use_cases.describe_model import DescribeModel
from cortex_domain.use_cases.load_model import LoadModel
from cortex_domain.use_cases.make_room import MakeRoom


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
    ) -> None:
        self._describe_model = describe_model
        self._load_model = load_model
        self._residency = residency
        self._make_room = make_room
        self._generator = generator

    def __call__(self, request: GenerationRequest, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Generates one answer; the events are the text generator's own, see `cortex_domain.event_stream`.

        Raises:
            RequestRefusedError: On entering; the request or its model must change.
            ResourceUnavailableError: On entering or iterating; the same request may succeed later.
        """
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        descriptor = await self._describe_model.while_loaded(request.model)
        _require_capabilities(request, descriptor)
        # From before it is loaded until the block is left, so that nobody else's load pushes the model out.
        with self._residency.using(descriptor.id, keep_alive_s=request.keep_alive_s):
            await self._load_model(descriptor.id)
            async with AsyncExitStack() as stack:
                yield await self._enter(stack, replace(request, model=descriptor.id))

    async def _enter(self, stack: AsyncExitStack, request: GenerationRequest) -> AsyncIterator[GenerationEvent]:
        """Has the request accepted, in place of idle models if memory is short."""
        while True:
            try:
                return await stack.enter_async_context(self._generator.generate_text(request))
            except MemoryPressureError as refusal:
                await self._make_room(refusal)


def _require_capabilities(request: GenerationRequest, descriptor: ModelDescriptor) -> None:
    for capability, parameter in request.needs.items():
        if capability not in descriptor.capabilities:
            raise UnsupportedCapabilityError(capability=capability, model_id=descriptor.id, parameter=parameter)
