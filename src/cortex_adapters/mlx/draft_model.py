"""A small model that guesses what a large one will say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import KVCache, make_prompt_cache
from mlx_lm.tokenizer_utils import TokenizerWrapper

from cortex_adapters.mlx.context_window import context_window_of
from cortex_adapters.mlx.model_opening import blaming_the_files, open_model, read_weights
from cortex_domain.errors import LoadOptionRefusedError
from cortex_domain.language_models import ModelFiles, ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftModel:
    """A draft model in memory.

    Attributes:
        network: mlx-lm's module; maps token ids, shape (rows, tokens), to logits, shape (rows, tokens, vocabulary).
        vocabulary_size: Token ids that it can read.
        context_window: Tokens that it can read in a row.
        weights_bytes: Sum of the weights' sizes in memory, in bytes.
    """

    network: Any
    vocabulary_size: int
    context_window: int
    weights_bytes: int


def load_draft_model(
    files: ModelFiles,
    /,
    *,
    model_id: ModelId,
    network: Any,  # noqa: ANN401 - mlx-lm's module
    tokenizer: TokenizerWrapper,
) -> DraftModel:
    """Loads a draft model for another one, whose weights need not be in memory yet.

    Args:
        files: The draft model.
        model_id: The model that it drafts for.
        network: That model's module.
        tokenizer: That model's tokenizer.

    Raises:
        InvalidModelError: mlx-lm cannot make a model of these files.
        LoadOptionRefusedError: The two do not go together; no weights were read.
    """
    with blaming_the_files(files.model_id):
        draft, draft_tokenizer, config = open_model(Path(files.directory))
    reason = _other_words(tokenizer, draft_tokenizer) or _untrimmable_caches(network, draft)
    if reason is not None:
        raise LoadOptionRefusedError(model_id=model_id, parameter="draft_model", reason=reason)
    with blaming_the_files(files.model_id):
        read_weights(draft)
    return DraftModel(
        network=draft,
        # Arrays are lazy: this asks for a shape only.
        vocabulary_size=draft(mx.zeros((1, 1), dtype=mx.int32)).shape[-1],
        context_window=context_window_of(config),
        weights_bytes=sum(weight.nbytes for weight in dict(tree_flatten(draft.parameters())).values()),
    )


def _other_words(tokenizer: TokenizerWrapper, draft_tokenizer: TokenizerWrapper) -> str | None:
    """Says that tokens mean something else to the draft model, as a sentence without its full stop."""
    words: Any = tokenizer.get_vocab()
    draft_words: Any = draft_tokenizer.get_vocab()
    if words == draft_words:
        return None
    return f"its vocabulary of {len(draft_words)} tokens is not the model's, of {len(words)}"


def _untrimmable_caches(*networks: Any) -> str | None:  # noqa: ANN401 - mlx-lm's modules
    """Says that wrong guesses could not be taken back, as a sentence without its full stop."""
    caches = [cache for network in networks for cache in make_prompt_cache(network)]
    others = {type(cache).__name__ for cache in caches if type(cache) is not KVCache}
    if not others:
        return None
    return f"wrong guesses cannot be taken back from {' and '.join(sorted(others))}, only from a KVCache"
