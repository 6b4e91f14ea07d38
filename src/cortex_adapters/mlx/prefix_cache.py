"""Keeps keys and values of what was computed, so that a prompt that begins alike need not be read again.

One cache serves all models of an engine under one budget. Owners share nothing: a block of one is never found for
another.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from cortex_adapters.mlx.device import prefix_cache_share_bytes
from cortex_adapters.mlx.kv_blocks import KvBlock, KvRow, can_be_cut, join_blocks
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits, PrefixCacheUse
from cortex_adapters.mlx.prefix_tree import Match, PrefixTree, SequenceRoot
from cortex_domain.generation import CacheMissReason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPrefix:
    """What can be reused of a sequence.

    Attributes:
        tokens: How many of its tokens are computed already; less than all of them.
        caches: mlx-lm's caches that hold them, one a layer; empty when there are none.
        reason: Why it is not more; None when nothing more was ever there.
    """

    tokens: int = 0
    caches: tuple[KVCache, ...] = ()
    reason: CacheMissReason | None = None


class PrefixCache:
    """What an engine keeps of all its models."""

    def __init__(self, limits: PrefixCacheLimits) -> None:
        budget_bytes = prefix_cache_share_bytes() if limits.memory_bytes is None else limits.memory_bytes
        self.tree = PrefixTree[KvBlock](budget_bytes)
        self.is_enabled = budget_bytes > 0
        self._prompt_tokens = 0
        self._cached_prompt_tokens = 0

    @property
    def use(self) -> PrefixCacheUse:
        """What is kept, and what it was good for."""
        return PrefixCacheUse(
            memory_bytes=self.tree.nbytes,
            prompt_tokens=self._prompt_tokens,
            cached_prompt_tokens=self._cached_prompt_tokens,
            evictions=self.tree.evictions,
        )

    def shrink(self, size_bytes: int) -> int:
        """Makes room until no more than this is in memory; returns how many bytes that freed."""
        return self.tree.shrink(size_bytes)

    def count(self, *, prompt_tokens: int, cached_tokens: int) -> None:
        """Notes a prompt that was begun, and how much of it was reused."""
        self._prompt_tokens += prompt_tokens
        self._cached_prompt_tokens += cached_tokens


class ModelPrefixes:
    """What is kept of one model; what fails here is forgotten and costs no request.

    Args:
        cache: Where it is kept.
        language_model: The model.
    """

    def __init__(self, cache: PrefixCache, language_model: LanguageModel) -> None:
        self._cache = cache
        self._make_caches = language_model.make_row_caches
        self._model = language_model.fingerprint
        self._refusal = _refusal(cache, language_model)

    def find(self, owner: str, tokens: Sequence[int], /) -> FoundPrefix:
        """Finds what is computed already of a sequence."""
        if self._refusal is not None:
            return FoundPrefix(reason=self._refusal)
        match = self._match(owner, tokens)
        if not match.contents:
            return FoundPrefix(reason=match.reason)
        caches = tuple(self._make_caches())
        join_blocks(match.contents, caches, tokens=match.tokens)
        return FoundPrefix(tokens=match.tokens, caches=caches, reason=match.reason)

    def known_tokens(self, owner: str, tokens: Sequence[int], /) -> int:
        """Counts what `find` would find now."""
        return 0 if self._refusal is not None else self._match(owner, tokens).tokens

    def count(self, *, prompt_tokens: int, cached_tokens: int) -> None:
        """Notes a prompt that was begun, and how much of it was reused."""
        self._cache.count(prompt_tokens=prompt_tokens, cached_tokens=cached_tokens)

    def keep(self, owner: str, tokens: Sequence[int], caches: Sequence[KVCache], /) -> None:
        """Keeps a sequence whose tokens `caches` hold, one cache a layer."""
        if self._refusal is not None or not tokens:
            return
        try:
            self._keep(owner, tokens, caches)
        except Exception:
            logger.exception("Nothing more is kept of a model for reuse")
            self._refusal = CacheMissReason.NOT_SUPPORTED
            self.forget()

    def forget(self) -> None:
        """Drops all that is kept of the model."""
        self._cache.tree.forget_model(self._model)

    def _match(self, owner: str, tokens: Sequence[int]) -> Match[KvBlock]:
        # The last token is always computed: from it the first of the answer is drawn.
        return self._cache.tree.find(SequenceRoot(owner, self._model), tokens[:-1])

    def _keep(self, owner: str, tokens: Sequence[int], caches: Sequence[KVCache]) -> None:
        root = SequenceRoot(owner, self._model)
        row = KvRow(caches)
        cut: list[KvBlock] = []

        def cut_block(start: int, stop: int) -> KvBlock:
            cut.append(row.cut(start, stop))
            return cut[-1]

        self._cache.tree.keep(root, tokens, cut_block, token_bytes=row.token_bytes)
        # Scheduled at once: until it is computed, a block holds the whole batch that it was cut from.
        mx.async_eval([(block.keys, block.values) for block in cut])


def _refusal(cache: PrefixCache, language_model: LanguageModel) -> CacheMissReason | None:
    if not cache.is_enabled:
        return CacheMissReason.DISABLED
    return None if can_be_cut(language_model.make_row_caches()) else CacheMissReason.NOT_SUPPORTED
