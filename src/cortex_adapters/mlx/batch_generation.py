"""mlx-lm's batch generator, less the work that nobody asked for.

Three subclasses, because mlx-lm's generator makes prompt batches and these make generation batches. Two methods differ
from mlx-lm: a step draws for all rows in one call, and neither normalises nor hands out log-probabilities; a piece of
the prompts is waited for once, and MLX keeps the memory that it took for the next one.
"""

from collections.abc import Sequence
from typing import Any, cast

import mlx.core as mx
from mlx_lm.generate import BatchGenerator, GenerationBatch, PromptProcessingBatch

from cortex_adapters.mlx.batch_sampling import RowSampler, draw
from cortex_adapters.mlx.logits_processors import LogitsProcessor
from cortex_adapters.mlx.model_loading import LanguageModel


class LeanGenerationBatch(GenerationBatch):
    """Decodes; every row's sampler is a `RowSampler`."""

    def _step(self) -> tuple[list[int], list[Any]]:
        inputs: mx.array = self._next_tokens
        self._current_tokens = inputs  # type: ignore[assignment]
        logits = self.model(inputs[:, None], cache=self.prompt_cache)[:, -1, :]
        contexts = self._apply_processors(inputs, logits) if any(self.logits_processors or ()) else []
        if contexts:
            logits = mx.concatenate([row for row, _ in contexts])
        rows: Sequence[Any] = self.samplers or ()
        self._next_tokens = draw(logits, rows)
        mx.async_eval(self._next_tokens, [context for _, context in contexts if context is not None])
        # Only now wait for the tokens of the last step: the device is busy with the next ones.
        tokens: Any = inputs.tolist()
        for known, token in zip(self.tokens, tokens, strict=True):
            known.append(token)
        return tokens, self._no_logprobs()

    def _apply_processors(self, inputs: mx.array, logits: mx.array) -> list[tuple[mx.array, mx.array | None]]:
        """Runs each row's processors; returns its logits, shape (1, vocabulary), and the context that they saw."""
        rows: list[tuple[mx.array, mx.array | None]] = []
        for index, processors in enumerate(self.logits_processors or ()):
            row, context = logits[index : index + 1], None
            if processors:
                context = self._token_context[index].update_and_fetch(inputs[index : index + 1])
                for process in processors:
                    row = process(context, row)
            rows.append((row, context))
        return rows

    def _no_logprobs(self) -> list[Any]:
        self._current_logprobs = self._next_logprobs = [None] * len(self.uids)
        return self._current_logprobs


class LeanPromptBatch(PromptProcessingBatch):
    """Reads prompts."""

    def prompt(self, tokens: list[list[int]]) -> None:
        """Reads the next piece of each prompt; `tokens` has one a row."""
        if not tokens:
            return
        for known, piece in zip(self.tokens, tokens, strict=True):
            known.extend(piece)
        longest = max(map(len, tokens))
        padding = [longest - len(piece) for piece in tokens]
        if any(padding):
            for cache in self.prompt_cache:
                cache.prepare(lengths=[len(piece) for piece in tokens], right_padding=padding)
        rows = [piece + [0] * padded for piece, padded in zip(tokens, padding, strict=True)]
        self.model(mx.array(rows), cache=self.prompt_cache)
        if any(padding):
            for cache in self.prompt_cache:
                cache.finalize()
        mx.eval([cache.state for cache in self.prompt_cache])

    def generate(self, tokens: list[list[int]]) -> LeanGenerationBatch:
        """Turns the batch into one that decodes; `tokens` holds the last token of each prompt."""
        batch = LeanGenerationBatch(
            self.model,
            self.uids,
            mx.array([last for [last] in tokens]),
            self.prompt_cache,
            self.tokens,
            self.samplers,
            self.fallback_sampler,
            self.logits_processors,
            self.stop_sequences,
            self.max_tokens,
        )
        self.uids, self.prompt_cache, self.tokens = [], [], []
        self.samplers, self.logits_processors, self.max_tokens = [], [], []
        return batch


class LeanBatchGenerator(BatchGenerator):
    """Generates with one model for up to `rows` sequences at once; takes a `RowSampler` as each one's sampler."""

    def __init__(self, language_model: LanguageModel, *, rows: int) -> None:
        model = language_model.network
        stop_tokens = [[token] for token in language_model.tokenizer.eos_token_ids]
        super().__init__(model, stop_tokens=stop_tokens, completion_batch_size=rows)
        self._language_model = language_model
        self._prompt_batch = LeanPromptBatch.empty(model, self.sampler, prefill_step_size=self.prefill_step_size)
        self._generation_batch = LeanGenerationBatch.empty(model, self.sampler)

    def insert_row(
        self,
        tokens: list[int],
        *,
        max_tokens: int,
        sampler: RowSampler,
        logits_processors: list[LogitsProcessor],
    ) -> int:
        """Adds one sequence and returns the number by which responses name it."""
        samplers: list[Any] = [sampler]
        [uid] = self.insert(
            [tokens],
            max_tokens=[max_tokens],
            caches=[self._language_model.make_row_caches()],
            samplers=samplers,
            logits_processors=[logits_processors],
        )
        return cast("int", uid)

    def read_at_most(self, *, rows: int, tokens: int) -> None:
        """Sets how many prompts are read together, and how many tokens of each in one step."""
        self.prefill_batch_size = rows
        self.prefill_step_size = self._prompt_batch.prefill_step_size = tokens

    @property
    def decoding_rows(self) -> int:
        """Sequences that are past their prompt."""
        return len(self._generation_batch)

    @property
    def prompt_rows(self) -> int:
        """Sequences whose prompt is being read or waits for it."""
        return len(self._prompt_batch) + len(self._unprocessed_sequences)

    def _make_batch(self, n: int) -> LeanPromptBatch:
        batch: Any = super()._make_batch(n)
        batch.__class__ = LeanPromptBatch
        return cast("LeanPromptBatch", batch)
