"""What the contract classes say to a model, and how they read what comes back."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cortex_domain.errors import CortexError
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    ReasoningDelta,
    TextDelta,
    ToolCallFinished,
)
from cortex_domain.generation import GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelFiles
from cortex_domain.messages import user_message
from cortex_domain.ports import TextGenerator
from cortex_domain.token_logprobs import TokenLogprob

COUNTING = (
    "Count in words, like this: one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, "
    "fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty. Go on until one hundred."
)
"""Plain ASCII, and longer than the answers that are asked for, so that a model that only repeats it has enough to say.
"""

GREEDY = SamplingParameters(temperature=0, top_p=1)

EventT = TypeVar("EventT")


def chat(
    files: ModelFiles,
    text: str = COUNTING,
    *,
    sampling: SamplingParameters = GREEDY,
    max_tokens: int | None = 12,
    stop: tuple[str, ...] = (),
) -> GenerationRequest:
    """Builds a request of one user message."""
    return GenerationRequest(
        model=files.model_id, messages=(user_message(text),), sampling=sampling, max_tokens=max_tokens, stop=stop
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Events as they came, whatever their order: one test judges the order, the others look past it."""

    events: Sequence[GenerationEvent]

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.deltas)

    def text_of(self, choice: int, /) -> str:
        """One of several answers."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta) and event.choice == choice)

    @property
    def reasoning(self) -> str:
        """All that was thought."""
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def deltas(self) -> Sequence[str]:
        """The texts of the deltas."""
        return [event.text for event in self.events if isinstance(event, TextDelta)]

    @property
    def logprobs(self) -> Sequence[TokenLogprob]:
        """The tokens that were told of, in order."""
        return [token for event in self.events if isinstance(event, TextDelta) for token in event.logprobs]

    @property
    def tool_calls(self) -> Sequence[ToolCallFinished]:
        """The tool calls that are whole."""
        return [event for event in self.events if isinstance(event, ToolCallFinished)]

    @property
    def started(self) -> GenerationStarted:
        """The event that names the request."""
        return _only(GenerationStarted, self.events)

    @property
    def finished(self) -> GenerationFinished:
        """The event that reports the end."""
        return _only(GenerationFinished, self.events)


async def read(generator: TextGenerator, request: GenerationRequest, /) -> Reading:
    """Reads an answer to its end."""
    async with generator.generate_text(request) as events:
        return Reading(events=[event async for event in events])


async def first_delta(events: AsyncIterator[GenerationEvent], /) -> None:
    """Reads on until the answer has begun."""
    async for event in events:
        if isinstance(event, TextDelta):
            return
    raise AssertionError("The answer has no text. Use a model that answers a plain request.")


async def refusal_of(generator: TextGenerator, request: GenerationRequest, /) -> CortexError:
    """Returns the error that a request meets, on entering or later: one test judges the moment."""
    try:
        reading = await read(generator, request)
    except CortexError as error:
        return error
    raise AssertionError(f"The request was not refused; it was answered with {reading.text!r}.")


def _only(kind: type[EventT], events: Sequence[object]) -> EventT:
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, f"Expected one {kind.__name__}, got {len(found)}."
    return found[0]
