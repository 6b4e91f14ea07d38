"""Port: tells how long a prompt is, without answering it."""

from abc import abstractmethod
from typing import Protocol

from cortex_domain.generation import GenerationRequest


class PromptCounter(Protocol):
    """Renders prompts as the text generator beside it would, and counts their tokens.

    Contract:
        - The count is the `prompt_tokens` that `GenerationStarted` tells of the same request.
        - A prompt that does not fit the context window is counted too.
        - Counting takes no place among the requests that run, and is over when it returns.
    """

    @abstractmethod
    async def count_prompt(self, request: GenerationRequest, /) -> int:
        """Returns the length of a request's prompt in tokens; `request.model` is the id of a loaded model.

        Raises:
            UnsupportedCapabilityError: The request needs what the text generator does not declare.
            InvalidRequestError: The model cannot take this request, or counting its prompt takes too long.
            ModelNotLoadedError: The model is not in memory.
            GeneratorBusyError: Too many requests wait.
            DeadlineExceededError: `timeout_s` has passed.
            GeneratorFailedError: The generator failed on its side.
            ShuttingDownError: The generator is stopping.
        """
