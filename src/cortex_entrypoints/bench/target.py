"""Who is asked: whatever answers a burst of prompts."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cortex_entrypoints.bench.measurements import Answer


class TargetError(Exception):
    """A target cannot be measured at all; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How answers are drawn; said to every target in full, because their defaults differ.

    Attributes:
        max_tokens: Longest answer in tokens, at least 1.
        temperature: 0 to 2.
        top_p: Above 0, up to 1.
    """

    max_tokens: int
    temperature: float
    top_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """What a report says about a target.

    Attributes:
        name: How tables call it.
        kind: `url`, `in-process` or `program`.
        details: What it says of itself, such as version and device.
    """

    name: str
    kind: str
    details: dict[str, str] = field(default_factory=dict)


class Target(AbstractAsyncContextManager["Target"], Protocol):
    """Answers bursts. Use it as an asynchronous context manager around all of them."""

    @property
    @abstractmethod
    def facts(self) -> TargetFacts:
        """What it is; known once it was entered."""

    @abstractmethod
    async def answer_all(
        self, prompts: Sequence[str], sampling: Sampling, *, on_answer: Callable[[], None]
    ) -> Sequence[Answer]:
        """Asks all prompts at once; a request that fails is an answer with an error.

        Args:
            prompts: One user message each.
            sampling: How answers are drawn.
            on_answer: Called after each answer, if answers can be told apart while they run.

        Raises:
            TargetError: The target is gone.
        """
