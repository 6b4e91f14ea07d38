"""Turns penalties and biases into what mlx-lm's batch generator takes: logits processors.

A logits processor maps a sequence's tokens so far, shape (tokens,), and its logits, shape (1, vocabulary), to new
logits of the same shape.
"""

from collections.abc import Callable
from functools import partial

import mlx.core as mx

from cortex_domain.generation import SamplingParameters

LogitsProcessor = Callable[[mx.array, mx.array], mx.array]


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
