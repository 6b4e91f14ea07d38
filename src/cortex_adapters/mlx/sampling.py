"""Turns sampling parameters into what mlx-lm's batch generator takes: a sampler and logits processors.

A sampler maps log-probabilities, shape (rows, vocabulary), to token ids, shape (rows,). A logits processor maps a
sequence's tokens so far, shape (tokens,), and its logits, shape (1, vocabulary), to new logits of the same shape.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import mlx.core as mx
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p, categorical_sampling, greedy_sampler

from cortex_domain.generation import SamplingParameters

Sampler = Callable[[mx.array], mx.array]
LogitsProcessor = Callable[[mx.array, mx.array], mx.array]

_MASK_64 = 2**64 - 1


def make_sampler(sampling: SamplingParameters, /, *, vocabulary_size: int, position: int = 0) -> Sampler:
    """Builds the sampler for one sequence whose next token is number `position` of its answer, counted from 0.

    Sequences without a seed and with the same parameters get the same object, which is what lets mlx-lm draw for all
    of them in one call.
    """
    if sampling.temperature == 0:
        return greedy_sampler
    keep = (sampling.top_p, sampling.min_p, _effective_top_k(sampling.top_k, vocabulary_size))
    if sampling.seed is None:
        return _shared_sampler(sampling.temperature, *keep)
    return SeededSampler(_keep_probable(*keep), temperature=sampling.temperature, seed=sampling.seed, position=position)


def make_logits_processors(sampling: SamplingParameters, /, *, prompt_tokens: int) -> list[LogitsProcessor]:
    """Builds the logits processors for one sequence whose first `prompt_tokens` tokens are its prompt."""
    processors: list[LogitsProcessor] = []
    if sampling.logit_bias:
        ids = mx.array(list(sampling.logit_bias))
        biases = mx.array(list(sampling.logit_bias.values()), dtype=mx.float32)
        processors.append(partial(_add_biases, ids, biases))
    if sampling.repetition_penalty != 1:
        processors.append(partial(_penalise_repetition, sampling.repetition_penalty))
    if sampling.presence_penalty:
        processors.append(partial(_penalise_presence, sampling.presence_penalty, prompt_tokens))
    if sampling.frequency_penalty:
        processors.append(partial(_penalise_frequency, sampling.frequency_penalty, prompt_tokens))
    return processors


class SeededSampler:
    """Draws so that the same seed gives the same tokens, alone or in a batch.

    Each draw depends on the seed and the position alone, never on what other sequences drew.
    """

    def __init__(self, keep_probable: Sampler, *, temperature: float, seed: int, position: int) -> None:
        self._keep_probable = keep_probable
        self._temperature = temperature
        self._seed = seed
        self._position = position

    def __call__(self, logprobs: mx.array) -> mx.array:
        """Draws one token id a row."""
        key = mx.random.key(_mix(self._seed, self._position))
        self._position += 1
        return mx.random.categorical(self._keep_probable(logprobs) * (1.0 / self._temperature), key=key)


def _effective_top_k(top_k: int | None, vocabulary_size: int) -> int | None:
    return top_k if top_k is not None and top_k < vocabulary_size else None


@lru_cache(maxsize=256)
def _shared_sampler(temperature: float, top_p: float, min_p: float, top_k: int | None) -> Sampler:
    keep_probable = _keep_probable(top_p, min_p, top_k)

    def sample(logprobs: mx.array) -> mx.array:
        return categorical_sampling(keep_probable(logprobs), temperature)

    return sample


def _keep_probable(top_p: float, min_p: float, top_k: int | None) -> Sampler:
    def keep(logprobs: mx.array) -> mx.array:
        if top_p < 1:
            logprobs = apply_top_p(logprobs, top_p)
        if min_p > 0:
            logprobs = apply_min_p(logprobs, min_p)
        if top_k is not None:
            logprobs = apply_top_k(logprobs, top_k)
        return logprobs

    return keep


def _mix(seed: int, position: int) -> int:
    """Spreads seed and position over 64 bits: SplitMix64's finaliser (https://prng.di.unimi.it/splitmix64.c)."""
    mixed = (seed + (position + 1) * 0x9E3779B97F4A7C15) & _MASK_64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return mixed ^ (mixed >> 31)


def _add_biases(ids: mx.array, biases: mx.array, _tokens: mx.array, logits: mx.array) -> mx.array:
    return logits.at[:, ids].add(biases.astype(logits.dtype))


def _penalise_repetition(penalty: float, tokens: mx.array, logits: mx.array) -> mx.array:
    seen = logits[:, tokens]
    logits[:, tokens] = mx.where(seen < 0, seen * penalty, seen / penalty)
    return logits


def _penalise_presence(penalty: float, prompt_tokens: int, tokens: mx.array, logits: mx.array) -> mx.array:
    answer = tokens[prompt_tokens:]
    if answer.size:
        logits[:, answer] = logits[:, answer] - penalty
    return logits


def _penalise_frequency(penalty: float, prompt_tokens: int, tokens: mx.array, logits: mx.array) -> mx.array:
    answer = tokens[prompt_tokens:]
    return logits.at[:, answer].subtract(penalty) if answer.size else logits
