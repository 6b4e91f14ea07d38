"""A text generator that remembers what it was asked."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability
from cortex_domain.ports import TextGenerator


class ListeningGenerator(TextGenerator):
    """Lets another generator answer.

    Attributes:
        requests: What was asked, in order.
    """

    def __init__(self, inner: TextGenerator) -> None:
        self._inner = inner
        self.requests: list[GenerationRequest] = []

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._inner.capabilities

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        self.requests.append(request)
        return self._inner.generate_text(request)
