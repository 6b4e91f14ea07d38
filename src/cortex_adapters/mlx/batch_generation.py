"""mlx-lm's batch generator, less the work that nobody asked for.

Three subclasses, because mlx-lm's generator makes prompt batches and these make generation batches. What differs from
mlx-lm: a step draws for all rows in one call, and normalises for rows that ask for log-probabilities alone; sequences
that join take their first step with all others, not one of their own; several sequences may share the reading of a
prompt; a piece of the prompts is waited for once, and MLX keeps the memory that it took for the next one; what need not
be copied is not.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import mlx.core as mx
from mlx_lm.generate import BatchGenerator, GenerationBatch, PromptProcessingBatch
from mlx_lm.models.cache import BatchKVCache, KVCache, TokenBuffer

from cortex_adapters.mlx.batch_sampling import RowSampler, draw
from cortex_adapters.mlx.decoding_cache import DecodingKVCache, note_lengths, prepare_for_decoding
from cortex_adapters.mlx.logits_processors import LogitsProcessor
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.output_masks import mask_logits
from cortex_adapters.mlx.step_logprobs import RowLogprob, logprobs_of_step
from cortex_adapters.mlx.token_constraint import TokenConstraint

FindPrefix = Callable[[int, list[int]], tuple[int, Sequence[Any]]]
"""Asked with a sequence's number and tokens when its turn has come; returns how many of them are computed already,
fewer than all, and one cache a layer that holds them."""


def nothing_known(_uid: int, _tokens: list[int], /) -> tuple[int, Sequence[Any]]:
    """Has every sequence computed from its beginning."""
    return 0, ()


class LeanGenerationBatch(GenerationBatch):
    """Decodes; every row's sampler is a `RowSampler`.

    Attributes:
        copies: By the number of a sequence whose prompt is still to be read: how each sequence draws that goes on from
            the same prompt.
        takes_ragged_rows: Whether the model's attention takes `RaggedRows`.
    """

    copies: dict[int, Sequence[RowSampler]]
    takes_ragged_rows: bool
    _joining: frozenset[int] = frozenset()
    """Sequences whose next input is the last token of their prompt: it is theirs to read, not one to report."""

    @classmethod
    def empty(cls, model: Any, fallback_sampler: Any) -> "LeanGenerationBatch":  # noqa: ANN401 - mlx-lm's own
        """See mlx-lm."""
        batch: LeanGenerationBatch = super().empty(model, fallback_sampler)
        batch.copies = {}
        batch.takes_ragged_rows = False
        return batch

    @classmethod
    def of_prompts(cls, prompts: PromptProcessingBatch, last_tokens: list[int]) -> "LeanGenerationBatch":
        """Takes over prompts that have been read up to their last tokens; nothing is computed yet."""
        batch: LeanGenerationBatch = cls.empty(prompts.model, prompts.fallback_sampler)
        batch.uids, batch.prompt_cache, batch.tokens = prompts.uids, prompts.prompt_cache, prompts.tokens
        batch.samplers, batch.logits_processors = prompts.samplers, prompts.logits_processors
        batch.stop_sequences, batch.max_tokens = prompts.stop_sequences, prompts.max_tokens
        batch._next_tokens = mx.array(last_tokens, dtype=mx.uint32)
        batch._next_logprobs = [None] * len(last_tokens)
        batch._token_context = [TokenBuffer(tokens) for tokens in prompts.tokens]
        batch._num_tokens = [0] * len(last_tokens)
        batch._matchers = [sequences.matcher() for sequences in prompts.stop_sequences]
        batch._joining = frozenset(prompts.uids)
        return batch

    def extend(self, batch: "LeanGenerationBatch") -> None:
        """Takes the rows of another batch, and with them those of their copies."""
        for row, uid in enumerate(list(batch.uids)):
            if samplers := self.copies.pop(uid, ()):
                batch.copy_row(row, samplers)
        super().extend(batch)
        prepare_for_decoding(self.prompt_cache, takes_ragged_rows=self.takes_ragged_rows)
        self._joining |= batch._joining  # noqa: SLF001 - its own class

    def copy_row(self, row: int, samplers: Sequence[RowSampler]) -> None:
        """Adds rows that go on from where one is, under the numbers after its own; none has drawn anything yet."""
        rows = [*range(len(self.uids)), *[row] * len(samplers)]
        first = self.uids[row] + 1
        self.uids += range(first, first + len(samplers))
        self._joining = frozenset(self.uids)
        for cache in self.prompt_cache:
            cache.filter(rows)
        self._next_tokens = self._next_tokens[mx.array(rows)]
        self._next_logprobs = [None] * len(rows)
        self._num_tokens = [0] * len(rows)
        known_samplers: Any = self.samplers
        known_samplers += samplers
        processors: Any = self.logits_processors
        processors += [processors[row]] * len(samplers)
        for _ in samplers:
            self.tokens.append(list(self.tokens[row]))
            self._token_context.append(TokenBuffer(self.tokens[row]))
            self.stop_sequences.append(self.stop_sequences[row])
            self._matchers.append(self.stop_sequences[row].matcher())
            self.max_tokens.append(self.max_tokens[row])

    def next(self) -> list[Any]:
        """Advances every row by one token and returns a response for each that was drawn; ended rows leave."""
        if not self.uids:
            return []
        drawn = enumerate(zip(*self._step(), strict=True))
        joining, self._joining = self._joining, frozenset()
        responses = [self._respond(row, *told) for row, told in drawn if self.uids[row] not in joining]
        ended = {response.uid for response in responses if response.finish_reason is not None}
        if ended:
            self.filter([row for row, uid in enumerate(self.uids) if uid not in ended])
        return responses

    def extract_cache(self, idx: int) -> list[Any]:
        """See `_extract_row`."""
        return _extract_row(self.prompt_cache, idx)

    def _respond(self, row: int, token: int, logprob: RowLogprob | None) -> Any:  # noqa: ANN401 - mlx-lm's own class
        self._num_tokens[row] += 1
        finish_reason = "length" if self._num_tokens[row] >= self.max_tokens[row] else None
        if self._matchers[row].advance(token):
            finish_reason = "stop"
        has_ended = finish_reason is not None
        read: Any = logprob and logprob.read()
        return self.Response(
            uid=self.uids[row],
            token=token,
            logprobs=read,
            finish_reason=finish_reason,
            prompt_cache=self.extract_cache(row) if has_ended else None,
            all_tokens=self.tokens[row] if has_ended else None,
        )

    def _step(self) -> tuple[list[int], list[Any]]:
        inputs: mx.array = self._next_tokens
        self._current_tokens = inputs  # type: ignore[assignment]
        self._current_logprobs = self._next_logprobs
        note_lengths(self.prompt_cache, [len(known) for known in self.tokens])
        own_logits = logits = self.model(inputs[:, None], cache=self.prompt_cache)[:, -1, :]
        contexts = self._apply_processors(inputs, logits) if any(self.logits_processors or ()) else []
        if contexts:
            logits = mx.concatenate([row for row, _ in contexts])
        rows: Sequence[Any] = self.samplers or ()
        if any(row.constraint is not None for row in rows):
            logits = self._hold_to_constraints(inputs, logits, [row.constraint for row in rows])
        self._next_tokens = draw(logits, rows)
        self._next_logprobs, told = logprobs_of_step(own_logits, self._next_tokens, rows)
        mx.async_eval(self._next_tokens, told, [context for _, context in contexts if context is not None])
        # Only now wait for the tokens of the last step: the device is busy with the next ones.
        tokens: Any = inputs.tolist()
        for known, token in zip(self.tokens, tokens, strict=True):
            known.append(token)
        return tokens, self._current_logprobs

    def _hold_to_constraints(
        self, inputs: mx.array, logits: mx.array, constraints: Sequence[TokenConstraint | None]
    ) -> mx.array:
        """Lets each grammar take its row's last token; the device computes the logits meanwhile."""
        mx.async_eval(logits)
        tokens: Any = inputs.tolist()
        for uid, token, constraint in zip(self.uids, tokens, constraints, strict=True):
            if constraint is not None and uid not in self._joining:
                constraint.take(token)
        return mask_logits(logits, constraints)

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
        self._let_read(self.model(mx.array(rows), cache=self.prompt_cache), [len(piece) for piece in tokens])
        if any(padding):
            for cache in self.prompt_cache:
                cache.finalize()
        mx.eval([cache.state for cache in self.prompt_cache])

    def generate(self, tokens: list[list[int]]) -> LeanGenerationBatch:
        """Turns the batch into one that decodes; `tokens` holds the last token of each prompt."""
        batch = LeanGenerationBatch.of_prompts(self, [last for [last] in tokens])
        self._let_go()
        return batch

    def extract_cache(self, idx: int) -> list[Any]:
        """See `_extract_row`."""
        return _extract_row(self.prompt_cache, idx)

    def split(self, indices: list[int]) -> "LeanPromptBatch":
        """Takes rows out and returns them as a batch; all of them leave without a copy."""
        if len(indices) < len(self):
            return cast("LeanPromptBatch", super().split(indices))
        whole = copy.copy(self)
        self._let_go()
        return whole

    def _let_read(self, logits: mx.array, lengths: Sequence[int]) -> None:
        """Gives the logits, shape (rows, tokens, vocabulary), to the rows that want theirs."""
        for row, (sampler, length) in enumerate(zip(cast("list[Any]", self.samplers), lengths, strict=True)):
            if sampler.prompt_reader is not None:
                sampler.prompt_reader.take(logits[row, :length])

    def _let_go(self) -> None:
        self.uids, self.prompt_cache, self.tokens = [], [], []
        self.samplers, self.logits_processors = [], []
        self.stop_sequences, self.max_tokens = [], []


def _extract_row(caches: list[Any], row: int) -> list[Any]:
    """Looks at one row of each layer's cache; what is kept of it is to be copied while the batch is as it is."""
    if not all(type(cache) in (BatchKVCache, DecodingKVCache) for cache in caches):
        return [cache.extract(row) for cache in caches]
    # All layers are padded alike; to ask each would be to wait for the device as many times.
    begin, end = int(caches[0].left_padding[row].item()), caches[0]._idx  # noqa: SLF001 - as mlx-lm does it
    return [_extract_range(cache, row, slice(begin, end)) for cache in caches]


def _extract_range(cache: Any, row: int, tokens: slice) -> KVCache:  # noqa: ANN401 - mlx-lm types its arrays as None
    extracted: Any = KVCache()
    extracted.keys = cache.keys[row : row + 1, :, tokens]
    extracted.values = cache.values[row : row + 1, :, tokens]
    extracted.offset = tokens.stop - tokens.start
    return cast("KVCache", extracted)


class LeanBatchGenerator(BatchGenerator):
    """Generates with one model for up to `rows` sequences at once; takes a `RowSampler` as each one's sampler.

    Args:
        language_model: The model.
        rows: See above.
        find_prefix: Finds what need not be computed.
        first_uid: Number of the first sequence.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        *,
        rows: int,
        find_prefix: FindPrefix = nothing_known,
        first_uid: int = 0,
    ) -> None:
        model = language_model.network
        stop_tokens = [[token] for token in language_model.tokenizer.eos_token_ids]
        super().__init__(model, stop_tokens=stop_tokens, completion_batch_size=rows)
        self._language_model = language_model
        self._prompt_batch = LeanPromptBatch.empty(model, self.sampler, prefill_step_size=self.prefill_step_size)
        self._generation_batch = LeanGenerationBatch.empty(model, self.sampler)
        self._generation_batch.takes_ragged_rows = language_model.takes_ragged_rows
        self._find_prefix = find_prefix
        self._uid_count = first_uid

    def insert_row(
        self,
        tokens: list[int],
        *,
        max_tokens: int,
        sampler: RowSampler,
        logits_processors: list[LogitsProcessor],
        copies: Sequence[RowSampler] = (),
    ) -> int:
        """Adds one sequence and returns the number by which responses name it.

        Args:
            tokens: Its prompt.
            max_tokens: How many tokens it may draw.
            sampler: How it draws.
            logits_processors: What its logits go through.
            copies: How further sequences draw that share all else; their numbers follow its own. They begin when its
                prompt has been read, and until then they are part of it.
        """
        samplers: list[Any] = [sampler]
        [uid] = self.insert(
            [tokens],
            max_tokens=[max_tokens],
            caches=[self._language_model.make_row_caches()],
            samplers=samplers,
            logits_processors=[logits_processors],
        )
        if copies:
            self._generation_batch.copies[uid] = copies
            self._uid_count += len(copies)
        return cast("int", uid)

    def remove(self, uids: list[int], return_prompt_caches: bool = False) -> Any:  # noqa: ANN401, FBT002
        """Takes sequences out; see mlx-lm."""
        for uid in uids:
            self._generation_batch.copies.pop(uid, None)
        return super().remove(uids, return_prompt_caches)

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
        for index in range(n):
            self._unprocessed_sequences[index] = self._resumed(self._unprocessed_sequences[index])
        batch: Any = super()._make_batch(n)
        batch.__class__ = LeanPromptBatch
        return cast("LeanPromptBatch", batch)

    def _resumed(self, sequence: tuple[Any, ...]) -> tuple[Any, ...]:
        """Lets a sequence begin where what is known of it ends; only now, because caches that wait take memory."""
        uid, segments, max_tokens, _, _, *options = sequence
        tokens = [token for segment in segments for token in segment]
        known, caches = self._find_prefix(uid, tokens)
        if not known:
            return sequence
        rest = [segment for segment in (tokens[known:-1], tokens[-1:]) if segment]
        return (uid, rest, max_tokens, list(caches), tokens[:known], *options)
