"""Several answers of the fake text generator to one request."""

from collections import deque
from collections.abc import AsyncIterator, Sequence

from cortex_adapters.fake.generation import FakeGeneration
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_domain.language_models import LoadedModel, ModelId
from cortex_domain.merged_choices import MergedChoices


class FakeChoices(AsyncIterator[GenerationEvent]):
    """Lets each answer say a piece in turn. A reader who is cancelled while it waits has lost nothing.

    Args:
        answers: At least two, in order, to the same request.
    """

    def __init__(self, answers: Sequence[FakeGeneration]) -> None:
        self._answers = answers
        self._turns = deque(enumerate(answers))
        self._merged = MergedChoices(len(answers))
        self._told: deque[GenerationEvent] = deque()

    async def __anext__(self) -> GenerationEvent:
        """Waits for the next turn that says something, and returns what it says."""
        while not self._told:
            if not self._turns:
                raise StopAsyncIteration
            await self._take()
        return self._told.popleft()

    @property
    def model_id(self) -> ModelId:
        """Who answers."""
        return self._answers[0].model_id

    def move_to(self, model: LoadedModel) -> None:
        """Goes on with another load of the model."""
        for answer in self._answers:
            answer.move_to(model)

    async def _take(self) -> None:
        choice, answer = self._turns[0]
        event = await anext(answer)
        if isinstance(event, GenerationFinished):
            self._turns.popleft()
        else:
            self._turns.rotate(-1)
        self._told.extend(self._merged.take(choice, event))
