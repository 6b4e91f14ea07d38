"""Loads a model with all that belongs to it, and measures what it takes."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mlx.utils import tree_flatten
from mlx_lm.tokenizer_utils import TokenizerWrapper

from cortex_adapters.mlx import cpu_attention
from cortex_adapters.mlx.attention_replacement import replace_attention
from cortex_adapters.mlx.context_window import context_window_of
from cortex_adapters.mlx.device import available_memory_bytes, current_device, is_out_of_memory
from cortex_adapters.mlx.draft_model import DraftModel, load_draft_model
from cortex_adapters.mlx.fast_decoding import speed_up_decoding
from cortex_adapters.mlx.grammar_compiler import GrammarCompiler
from cortex_adapters.mlx.kv_cache_measurement import measure_kv_cache
from cortex_adapters.mlx.lora_weights import add_lora_weights
from cortex_adapters.mlx.memory_guard import FIRST_CHAT_TOKENS, MemoryGuard
from cortex_adapters.mlx.model_fingerprint import model_fingerprint
from cortex_adapters.mlx.model_memory import ModelMemory, estimate_model_memory
from cortex_adapters.mlx.model_opening import blaming_the_files, open_model, read_weights
from cortex_adapters.mlx.row_caches import make_row_caches, require_packable
from cortex_adapters.mlx.streaming_detokenizer import ByteDetokenizer, StreamingDetokenizer, WrappedDetokenizer
from cortex_adapters.mlx.thinking_form import ThinkingForm, thinking_form_of
from cortex_adapters.mlx.token_bytes import TokenBytes
from cortex_adapters.mlx.tool_form import ToolForm
from cortex_adapters.mlx.tool_text import text_form_in
from cortex_domain.engine_status import Device
from cortex_domain.errors import InsufficientMemoryError, InvalidModelError
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelFiles, ModelId

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model in memory with its tokenizer.

    Attributes:
        id: The model.
        network: mlx-lm's module; maps token ids, shape (rows, tokens), to logits, shape (rows, tokens, vocabulary).
        tokenizer: mlx-lm's wrapper of the model's tokenizer.
        context_window: Tokens that prompt and answer may have together.
        fingerprint: Names all that its keys and values depend on besides tokens; see `model_fingerprint`.
        vocabulary_size: Number of token ids that the tokenizer knows.
        special_texts: Texts that the tokenizer turns into control tokens, and those that mark thoughts.
        thinking: How it thinks before it answers; None when it does not.
        token_bytes: What its tokens say.
        memory: What its weights and sequences were measured to take.
        estimate: What its files had promised.
        options: How it was loaded.
        draft: Guesses for it; None when nothing does.
        grammars: Compiles what its answers are held to.
        tools: How it is told of tools, and writes its calls.
        takes_ragged_rows: Whether its attention takes `RaggedRows`.
    """

    id: ModelId
    network: Any
    tokenizer: TokenizerWrapper
    context_window: int
    fingerprint: bytes
    vocabulary_size: int
    special_texts: frozenset[str]
    thinking: ThinkingForm | None
    token_bytes: TokenBytes
    memory: ModelMemory
    estimate: ModelMemory
    options: LoadOptions
    draft: DraftModel | None
    grammars: GrammarCompiler
    tools: ToolForm
    takes_ragged_rows: bool = False

    def as_loaded(self) -> LoadedModel:
        """Describes it to the domain."""
        return LoadedModel(
            id=self.id,
            memory_bytes=self.memory.weights_bytes,
            context_window=self.context_window,
            kv_cache_bytes_per_token=self.memory.kv_cache.first_bytes_per_token if self.memory.kv_cache else None,
            memory_estimate=self.estimate.as_estimate(),
            options=self.options,
        )

    def make_row_caches(self) -> list[Any]:
        """Makes empty caches for one sequence, one a layer."""
        return make_row_caches(self.network, kv_cache_bits=self.options.kv_cache_bits)

    def make_detokenizer(self, *, begins_text: bool) -> StreamingDetokenizer:
        """Makes what turns an answer's tokens into text.

        Args:
            begins_text: Whether the answer is a text of its own, and does not go on with one.
        """
        if self.token_bytes.is_exact:
            return ByteDetokenizer(self.token_bytes, begins_text=begins_text)
        return WrappedDetokenizer(self.tokenizer.detokenizer)


def load_language_model(
    files: ModelFiles, options: LoadOptions = LoadOptions(), /, *, guard: MemoryGuard | None = None
) -> LanguageModel:
    """Loads a model, with all weights in memory when it returns.

    Args:
        files: The model.
        options: How to load it.
        guard: Says whether it fits; None loads it whatever it takes.

    Raises:
        InsufficientMemoryError: It would not fit; nothing was loaded.
        InvalidModelError: mlx-lm cannot make a model of these files.
        LoadOptionRefusedError: An option does not fit the model; its weights were not read.
    """
    estimate = _estimate(files, options)
    if guard is not None:
        guard.require_room(files.model_id, estimate)
    with _blaming_the_memory(files.model_id, estimate):
        with blaming_the_files(files.model_id):
            network, tokenizer, config = open_model(Path(files.directory))
        draft = _apply(options, network, tokenizer, model_id=files.model_id)
        with blaming_the_files(files.model_id):
            read_weights(network)
            takes_ragged_rows = _speed_up(network, kv_cache_bits=options.kv_cache_bits)
            memory = _measure(network, config, draft, kv_cache_bits=options.kv_cache_bits)
    _compare(files.model_id, estimate, memory)
    thinking, special_texts = thinking_form_of(tokenizer), _special_texts_of(tokenizer)
    with blaming_the_files(files.model_id):
        tools = ToolForm(tokenizer, special_texts | _bracketed_texts_of(tokenizer), text_form_in(Path(files.directory)))
    return LanguageModel(
        id=files.model_id,
        network=network,
        tokenizer=tokenizer,
        context_window=memory.context_window,
        fingerprint=model_fingerprint(files, options),
        vocabulary_size=len(tokenizer),
        special_texts=special_texts | (thinking.marks if thinking else set()) | tools.marks,
        thinking=thinking,
        token_bytes=TokenBytes(tokenizer),
        memory=memory,
        estimate=estimate,
        options=options,
        draft=draft,
        grammars=GrammarCompiler(tokenizer),
        tools=tools,
        takes_ragged_rows=takes_ragged_rows,
    )


def _estimate(files: ModelFiles, options: LoadOptions) -> ModelMemory:
    with blaming_the_files(files.model_id):
        estimate = estimate_model_memory(Path(files.directory), kv_cache_bits=options.kv_cache_bits)
    if options.draft_model is None:
        return estimate
    with blaming_the_files(options.draft_model.model_id):
        draft = estimate_model_memory(Path(options.draft_model.directory))
    return replace(estimate, weights_bytes=estimate.weights_bytes + draft.weights_bytes)


@contextmanager
def _blaming_the_memory(model_id: ModelId, estimate: ModelMemory) -> Iterator[None]:
    """Makes an `InsufficientMemoryError` of what is no fault of the files: where there is more memory they load."""
    try:
        yield
    except InvalidModelError as error:
        if error.__cause__ is None or not is_out_of_memory(error.__cause__):
            raise
        raise InsufficientMemoryError(
            model_id=model_id,
            required_bytes=estimate.bytes_with_sequence(FIRST_CHAT_TOKENS),
            available_bytes=available_memory_bytes(),
        ) from error.__cause__


def _apply(
    options: LoadOptions,
    network: Any,  # noqa: ANN401 - mlx-lm's module
    tokenizer: TokenizerWrapper,
    *,
    model_id: ModelId,
) -> DraftModel | None:
    """Does what the options ask for, while the weights are on disk still."""
    if options.lora_weights is not None:
        add_lora_weights(network, Path(options.lora_weights), model_id=model_id)
    if options.kv_cache_bits is not None:
        require_packable(network, kv_cache_bits=options.kv_cache_bits, model_id=model_id)
    if options.draft_model is None:
        return None
    return load_draft_model(options.draft_model, model_id=model_id, network=network, tokenizer=tokenizer)


def _speed_up(network: Any, *, kv_cache_bits: int | None) -> bool:  # noqa: ANN401 - mlx-lm's module
    """Does for a model what its device is slow at; returns whether its attention takes `RaggedRows`."""
    match current_device():
        case Device.CUDA:
            return speed_up_decoding(network, partial(make_row_caches, network, kv_cache_bits=kv_cache_bits))
        case Device.CPU:
            replace_attention(network, cpu_attention.attend)
            return False
        case Device.METAL:
            return False


def _measure(
    network: Any,  # noqa: ANN401 - mlx-lm's module
    config: Mapping[str, Any],
    draft: DraftModel | None,
    *,
    kv_cache_bits: int | None,
) -> ModelMemory:
    weights = dict(tree_flatten(network.parameters())).values()
    return ModelMemory(
        weights_bytes=sum(weight.nbytes for weight in weights) + (draft.weights_bytes if draft else 0),
        kv_cache=measure_kv_cache(network, kv_cache_bits=kv_cache_bits),
        context_window=context_window_of(config),
    )


def _compare(model_id: ModelId, estimate: ModelMemory, memory: ModelMemory) -> None:
    """Says so when a model is not what its files promised; the guard goes on with what was measured."""
    if not estimate.resembles(memory):
        logger.warning("The memory of %s was estimated as %s and is %s", model_id, estimate, memory)


def _bracketed_texts_of(tokenizer: Any) -> frozenset[str]:  # noqa: ANN401 - the wrapper hands on the tokenizer's own
    """Finds the tokens that llguidance takes for special by their form, whatever the tokenizer says of them."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values())
    return frozenset(text for text in added if re.fullmatch(r"<[^<>\s]+>", text))


def _special_texts_of(tokenizer: Any) -> frozenset[str]:  # noqa: ANN401 - the wrapper hands on the tokenizer's own
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return frozenset(added | set(tokenizer.all_special_tokens))
