"""Port: runs code that nobody vouches for."""

from abc import abstractmethod
from typing import Protocol

from cortex_domain.code_execution import CodeRequest, CodeResult


class CodeExecutor(Protocol):
    """Runs Python where it can do nothing but compute, print and call the functions that it was given.

    Contract:
        - Whatever the code does is a result, its errors too: execute raises when nothing was run, and then only.
        - Code sees no file but those of the workspace that the executor was made with, changes none that outlives the
          run, sees no variable of the environment, and reaches no network, no socket and no process of the machine.
        - Nothing of a run is left when it has ended, whatever it started.
        - A run that takes more than its limits ends with the status that names the limit.
        - Runs know nothing of each other: each begins anew, and many go on at a time.
        - Code calls functions one at a time. What it calls is awaited on the event loop that called execute.
        - Cancelling a run ends it, and the function that it waits for; nothing of it runs when the cancellation has
          passed on.
        - What cannot be confined is not run: execute and check raise instead.
    """

    @property
    @abstractmethod
    def description(self) -> str:
        """What Python it is and what it lacks, in a few sentences for the model that writes the code."""

    @abstractmethod
    async def check(self) -> None:
        """Makes sure that code can be run here, by running some.

        Raises:
            CodeExecutorUnavailableError: It cannot; the message says what to do.
        """

    @abstractmethod
    async def execute(self, request: CodeRequest, /) -> CodeResult:
        """Runs code to its end, or to that of its limits.

        Raises:
            CodeExecutorUnavailableError: It cannot be run here.
        """

    @abstractmethod
    async def close(self) -> None:
        """Gives back what the executor holds between runs; it can be used again afterwards."""
