"""Language models as things that are named, described, stored and loaded."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from pathlib import PurePath
from typing import NewType

from cortex_domain.errors import InvalidRequestError, ModelLoadedOtherwiseError, UnsupportedCapabilityError

ModelId = NewType("ModelId", str)
"""`namespace/name` as on the Hugging Face hub, or an alias without a namespace; see `parse_model_id`."""

_SEGMENT = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
MODEL_ID_PATTERN = rf"^(?!.*(?:--|\.\.)){_SEGMENT}(?:/{_SEGMENT})?$"
"""What `parse_model_id` lets pass, as a regular expression that JSON Schema understands too."""


def parse_model_id(text: str, /) -> ModelId:
    """Checks that a text can name a model.

    A model's files live in a directory made from its id, so what passes here can never climb out of a cache: one or
    two segments of up to 96 letters, digits, `_`, `-` and `.`, none starting or ending with `-` or `.`, no `..` or `--`
    (the hub's own rules).

    Raises:
        InvalidRequestError: The text breaks these rules.
    """
    if "\n" in text or not re.match(MODEL_ID_PATTERN, text):
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise InvalidRequestError(
            f"{shown!r} cannot name a model. Write it as 'namespace/name', for example 'mlx-community/Qwen2.5-7B'.",
            parameter="model",
        )
    return ModelId(text)


def nearest_names(name: str, known: Iterable[str], /, *, cutoff: float = 0.6) -> list[str]:
    """Finds the names that somebody may have meant, whatever the case of their letters.

    Args:
        name: What was written.
        known: Names that exist.
        cutoff: 0 to 1; least similarity, by `difflib.SequenceMatcher.ratio`. 0 takes any.

    Returns:
        Up to three of the known names, the most similar first.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    return [by_folded[match] for match in get_close_matches(name.casefold(), by_folded, cutoff=cutoff)]


class ModelState(StrEnum):
    """How near a model is: in memory, on disk, or only known."""

    LOADED = "loaded"
    DOWNLOADED = "downloaded"
    AVAILABLE = "available"


class Capability(StrEnum):
    """Something that not every model or adapter can do. Text in, text out is what all of them do."""

    IMAGE_INPUT = "image_input"
    AUDIO_INPUT = "audio_input"
    SEED = "seed"
    TOP_K = "top_k"
    MIN_P = "min_p"
    REPETITION_PENALTY = "repetition_penalty"
    PRESENCE_PENALTY = "presence_penalty"
    FREQUENCY_PENALTY = "frequency_penalty"
    LOGIT_BIAS = "logit_bias"
    CHOICES = "choices"
    JSON_SCHEMA_OUTPUT = "json_schema_output"
    REGEX_OUTPUT = "regex_output"
    LARK_OUTPUT = "lark_output"
    GBNF_OUTPUT = "gbnf_output"
    CHOICE_OUTPUT = "choice_output"
    REASONING_EFFORT = "reasoning_effort"
    LOGPROBS = "logprobs"
    RAW_PROMPT = "raw_prompt"
    ECHO = "echo"
    TOOLS = "tools"


MODALITIES = frozenset({Capability.IMAGE_INPUT, Capability.AUDIO_INPUT})
"""What a model takes besides text."""

OWN_CAPABILITIES = MODALITIES | {Capability.REASONING_EFFORT}
"""Capabilities that a model has or lacks by its own weights and templates, whatever runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Memory that a model will take, told from its files.

    Attributes:
        weights_bytes: Its weights, in bytes.
        kv_cache_bytes_per_token: What a sequence takes for each of its tokens, in bytes, as long as no sliding window
            drops any; None when the files do not say.
        full_window_bytes: The weights and one request that fills the context window, in bytes; None likewise.
    """

    weights_bytes: int
    kv_cache_bytes_per_token: int | None
    full_window_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Residency:
    """How long a model that is in memory stays there.

    Attributes:
        pinned: Whether it stays, whatever happens, until somebody unloads it by name.
        keep_alive_s: Seconds without a request after which it is unloaded, 0 or more; None keeps it until another model
            needs its memory. Without effect while it is pinned.
        active_requests: Requests that use it now; a model in use is never unloaded to make room.
        last_used_s: When it was last used, in whole seconds since the Unix epoch.
        expires_s: When it will be unloaded unless somebody uses it before, in whole seconds since the Unix epoch; None
            when nothing is planned.
    """

    pinned: bool
    keep_alive_s: float | None
    active_requests: int
    last_used_s: int
    expires_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescriptor:
    """What is known about a model without loading it.

    Attributes:
        id: The model's full name.
        aliases: Other names that mean this model.
        state: How near it is.
        size_bytes: Its files on disk, or their download size when absent, in bytes; None when unknown.
        memory_bytes: Memory that a chat with it needs, or, once it is loaded, that its weights were measured to take,
            in bytes; None when unknown.
        kv_cache_bytes_per_token: What each token of a chat was measured to take while it runs, in bytes; None while the
            model is not loaded, or when it cannot be told.
        memory_estimate: The same told from the files; None when they are not here or cannot be understood.
        context_window: Tokens that prompt and answer may have together; None when unknown.
        lora_weights: Directory of the low-rank weights that it is loaded with; None when it has none, or is not loaded.
        kv_cache_bits: Bits of the numbers that its KV cache keeps; None when it keeps what was computed, or is not
            loaded.
        draft_model: The model that guesses for it; None when nothing does, or it is not loaded.
        quantization: Weight format, for example `4-bit` or `float32`; None when unknown.
        capabilities: What can be asked of it beyond plain text. A store says what the model's files have, a use case
            says what remains of that with the adapter that runs it.
        residency: How long it stays in memory; None while it is not there.
        description: One line for a person; may be empty.
    """

    id: ModelId
    aliases: tuple[str, ...] = ()
    state: ModelState
    size_bytes: int | None = None
    memory_bytes: int | None = None
    kv_cache_bytes_per_token: int | None = None
    memory_estimate: MemoryEstimate | None = None
    context_window: int | None = None
    lora_weights: PurePath | None = None
    kv_cache_bits: int | None = None
    draft_model: ModelId | None = None
    quantization: str | None = None
    capabilities: frozenset[Capability] = frozenset()
    residency: Residency | None = None
    description: str = ""

    def answers_to(self, name: str, /) -> bool:
        """Tells whether `name` is this model's id or one of its aliases."""
        return name == self.id or name in self.aliases

    def require_capabilities(self, needs: Mapping[Capability, str], /) -> None:
        """Checks that the model has what a request needs.

        Args:
            needs: Capabilities, each with the parameter that needs it.

        Raises:
            UnsupportedCapabilityError: It lacks one.
        """
        for capability, parameter in needs.items():
            if capability not in self.capabilities:
                raise UnsupportedCapabilityError(capability=capability, model_id=self.id, parameter=parameter)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A model on disk, complete and checked.

    Attributes:
        model_id: The model.
        directory: Where its files are.
        revision: The commit or checksum that these files are; None when the store has no such thing.
        size_bytes: Sum of the files' sizes, in bytes.
    """

    model_id: ModelId
    directory: PurePath
    revision: str | None
    size_bytes: int


KV_CACHE_BITS = (8, 4)
"""What `LoadOptions.kv_cache_bits` may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How a model is loaded; without any of these it is what its files say.

    Attributes:
        lora_weights: Directory of low-rank weights that are added to the model's own, as mlx-lm's training leaves it:
            `adapter_config.json` and `adapters.safetensors`. None adds none.
        kv_cache_bits: Bits of each number that is kept of tokens read and drawn, 8 or 4; None keeps what was computed.
        draft_model: A small model of the same vocabulary, which is loaded with this one and guesses what it will say;
            for a request that runs alone. It changes no text. None guesses nothing.
    """

    lora_weights: PurePath | None = None
    kv_cache_bits: int | None = None
    draft_model: ModelFiles | None = None

    def __post_init__(self) -> None:
        if self.kv_cache_bits not in (None, *KV_CACHE_BITS):
            raise InvalidRequestError("kv_cache_bits must be 8 or 4.", parameter="kv_cache_bits")

    @property
    def given(self) -> frozenset[str]:
        """Names of the options that are not None."""
        return frozenset(field.name for field in fields(self) if getattr(self, field.name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in memory.

    Attributes:
        id: The model.
        memory_bytes: Memory that its weights take, in bytes.
        context_window: Tokens that prompt and answer may have together.
        kv_cache_bytes_per_token: What each token of a chat takes while it runs, in bytes; None when it cannot be told.
        memory_estimate: What its files had promised; None when they did not tell.
        options: How it was loaded.
    """

    id: ModelId
    memory_bytes: int
    context_window: int
    kv_cache_bytes_per_token: int | None = None
    memory_estimate: MemoryEstimate | None = None
    options: LoadOptions = LoadOptions()

    def require_options(self, wanted: LoadOptions | None, /) -> None:
        """Checks that the model was loaded as somebody wants it; None takes it as it is.

        Raises:
            ModelLoadedOtherwiseError: It was not.
        """
        if wanted is None or wanted == self.options:
            return
        named = sorted(wanted.given | self.options.given)
        different = [name for name in named if getattr(wanted, name) != getattr(self.options, name)]
        raise ModelLoadedOtherwiseError(model_id=self.id, options=different)
