"""Chooses the best of several answers to one request."""

import math
from collections.abc import Sequence

from cortex_domain.generation import Choice


def best_choices(choices: Sequence[Choice], n: int, /) -> tuple[Choice, ...]:
    """Returns the answers whose tokens are the most probable on average, the best first; all of them as they are.

    Args:
        choices: Answers with their tokens.
        n: How many are wanted.
    """
    return tuple(choices) if n >= len(choices) else tuple(sorted(choices, key=_mean_logprob, reverse=True)[:n])


def _mean_logprob(choice: Choice) -> float:
    """An answer without a token says nothing, and so is the worst."""
    return (
        math.fsum(token.logprob for token in choice.logprobs) / len(choice.logprobs) if choice.logprobs else -math.inf
    )
