"""Gives a raw prompt back before its answer, with the log-probabilities of its tokens if they were asked for."""

from collections.abc import Sequence

import mlx.core as mx

from cortex_adapters.mlx.batch_sampling import PromptReader
from cortex_adapters.mlx.step_logprobs import DrawnLogprob, StepLogprobs, describe_token
from cortex_adapters.mlx.token_bytes import TokenBytes
from cortex_domain.events import TextDelta
from cortex_domain.token_logprobs import TokenLogprob

_POSITIONS_AT_ONCE = 64
"""Each takes several times the memory of its logits while they are normalised and ranked."""


class PromptLogprobs(PromptReader):
    """Collects what the model says of a prompt's tokens while it reads them.

    Attributes:
        drawn: What is told of all tokens but the first, as far as they are read.

    Args:
        prompt: All its tokens; none of them may be computed already.
        alternatives: How many are told with each.
    """

    def __init__(self, prompt: tuple[int, ...], alternatives: int) -> None:
        self.drawn: list[DrawnLogprob] = []
        self._prompt = prompt
        self._alternatives = alternatives

    def take(self, logits: mx.array, /) -> None:
        """Takes the logits behind the next tokens, shape (tokens, vocabulary), and waits for what is told of them."""
        for first in range(0, logits.shape[0], _POSITIONS_AT_ONCE):
            self._take(logits[first : first + _POSITIONS_AT_ONCE])

    def _take(self, logits: mx.array) -> None:
        following = 1 + len(self.drawn)
        targets = self._prompt[following : following + logits.shape[0]]
        drawn = mx.array(targets, dtype=mx.uint32)
        step = StepLogprobs(logits[: len(targets)], drawn, [self._alternatives] * len(targets))
        mx.eval(step.arrays)
        self.drawn += [step[place] for place in range(len(targets))]


class PromptEcho:
    """What a job's reader is given before the answer.

    Args:
        prompt: The prompt as it was asked for.
        tokens: Its tokens.
        token_bytes: What they say.
        alternatives: How many are told with each; None tells nothing of tokens.
    """

    def __init__(
        self,
        prompt: str | tuple[int, ...],
        tokens: tuple[int, ...],
        token_bytes: TokenBytes,
        *,
        alternatives: int | None,
    ) -> None:
        self._prompt = prompt
        self._tokens = tokens
        self._token_bytes = token_bytes
        self._alternatives = alternatives
        self._logprobs: PromptLogprobs | None = None

    @property
    def tells_tokens(self) -> bool:
        """Whether the prompt has to be read from its first token."""
        return self._alternatives is not None

    def begin(self) -> PromptLogprobs | None:
        """Makes what collects the tokens' log-probabilities, anew for each row; None when they are not told."""
        if self._alternatives is not None:
            self._logprobs = PromptLogprobs(self._tokens, self._alternatives)
        return self._logprobs

    def as_delta(self) -> TextDelta:
        """Builds the event, once the prompt is read."""
        return TextDelta(
            text=self._prompt if isinstance(self._prompt, str) else self._decoded(),
            logprobs=() if self._logprobs is None else tuple(self._told(self._logprobs.drawn)),
        )

    def _decoded(self) -> str:
        return b"".join(self._token_bytes[token] for token in self._tokens).decode(errors="replace")

    def _told(self, drawn: Sequence[DrawnLogprob]) -> Sequence[TokenLogprob]:
        of_first = DrawnLogprob(logprob=0.0, top=())
        pairs = zip(self._tokens, (of_first, *drawn), strict=True)
        return [describe_token(self._token_bytes, token, told) for token, told in pairs]
