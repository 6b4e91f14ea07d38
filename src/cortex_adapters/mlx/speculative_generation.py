"""The batch generator of a model that has a draft model: a sequence that is alone may get several tokens in a step."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, cast

import mlx.core as mx

from cortex_adapters.mlx.batch_generation import FindPrefix, LeanBatchGenerator, LeanGenerationBatch, nothing_known
from cortex_adapters.mlx.batch_sampling import RowSampler, draw
from cortex_adapters.mlx.draft_model import DraftModel
from cortex_adapters.mlx.lookahead import Lookahead
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.speculation import Speculation
from cortex_adapters.mlx.step_logprobs import RowLogprob, logprobs_of_step


class SpeculativeGenerationBatch(LeanGenerationBatch):
    """Decodes guesses of a row that is alone, together with its next token.

    Rows whose logits are processed are left alone: a processor counts on one token a step.

    Attributes:
        speculation: Guesses; set it before the first step.
        has_followers: Whether prompts are being read or wait, which a long step would keep waiting.
    """

    speculation: Speculation
    has_followers = False

    def next(self) -> list[Any]:
        """See `LeanGenerationBatch.next`; one row may have several responses."""
        constraint = self._sampler.constraint if self.uids else None
        lookahead = None if constraint is None else Lookahead(constraint)
        guesses = self._guess(lookahead)
        return self._decode(guesses, lookahead) if guesses else super().next()

    def _guess(self, lookahead: Lookahead | None) -> list[int]:
        """Guesses what the only row says after its next token, which is drawn already."""
        if len(self.uids) != 1 or self._joining or self.has_followers or any(self.logits_processors or ()):
            return []
        at_most = self.max_tokens[0] - self._num_tokens[0] - 1
        tokens, sampler = self._drawn_tokens(), self._sampler
        return self.speculation.guess(self.uids[0], tokens, sampler, at_most=at_most, lookahead=lookahead)

    def _decode(self, guesses: Sequence[int], lookahead: Lookahead | None) -> list[Any]:
        """Keeps as many guesses as are the row's own draws, and draws what comes after them."""
        drawn, sampler = self._drawn_tokens(), self._sampler
        inputs = [drawn[-1], *guesses]
        logits = self.model(mx.array([inputs], dtype=mx.uint32), cache=self.prompt_cache)[0]
        held = logits if lookahead is None else lookahead.mask_all(logits)
        drawn_ahead = draw(held, sampler.ahead(len(inputs)))
        told, arrays = logprobs_of_step(logits, drawn_ahead, [sampler] * len(inputs))
        mx.eval(drawn_ahead, arrays)
        draws: Any = drawn_ahead.tolist()
        right = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(guesses, draws, strict=False)))
        if lookahead is not None:
            lookahead.settle(guesses, right=right)
        for cache in self.prompt_cache:
            cache.trim(len(guesses) - right)
        self.tokens[0].extend(inputs[: 1 + right])
        self.speculation.confirm(accepted=right, known_tokens=len(drawn) + right)
        self._next_tokens = mx.array(draws[right : right + 1], dtype=mx.uint32)
        sampler.position += 1 + right
        logprobs = [*self._next_logprobs, *told[:right]]
        self._next_logprobs = told[right : right + 1]
        return self._respond_until_end(inputs[: 1 + right], logprobs)

    def _respond_until_end(self, tokens: Sequence[int], logprobs: Sequence[RowLogprob | None]) -> list[Any]:
        responses = []
        for token, logprob in zip(tokens, logprobs, strict=True):
            responses.append(self._respond(0, token, logprob))
            if responses[-1].finish_reason is not None:
                self.filter([])
                break
        return responses

    def _drawn_tokens(self) -> list[int]:
        """The only row's tokens, the one included that is drawn and not computed."""
        drawn: Any = self._next_tokens.tolist()
        return [*self.tokens[0], *drawn]

    @property
    def _sampler(self) -> RowSampler:
        samplers: Any = self.samplers
        return cast("RowSampler", samplers[0])


class SpeculativeBatchGenerator(LeanBatchGenerator):
    """Generates as `LeanBatchGenerator` does, and the same text."""

    def __init__(
        self, language_model: LanguageModel, draft: DraftModel, *, rows: int, find_prefix: FindPrefix = nothing_known
    ) -> None:
        super().__init__(language_model, rows=rows, find_prefix=find_prefix)
        batch: Any = SpeculativeGenerationBatch.empty(self.model, self.sampler)
        self.speculation = batch.speculation = Speculation(draft)
        self._generation_batch: SpeculativeGenerationBatch = batch

    def _next(self) -> Any:  # noqa: ANN401 - as mlx-lm has it
        self._generation_batch.has_followers = self.prompt_rows > 0
        responses = super()._next()
        self.speculation.keep_only(self._generation_batch.uids)
        return responses

    def remove(self, uids: list[int], return_prompt_caches: bool = False) -> Any:  # noqa: ANN401, FBT002
        """Takes sequences out; see mlx-lm."""
        removed = super().remove(uids, return_prompt_caches)
        self.speculation.keep_only(self._generation_batch.uids)
        return removed
