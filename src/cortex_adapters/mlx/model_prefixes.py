"""What is kept of one model: finds and keeps its sequences, in memory and on disk."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from cortex_adapters.mlx.disk_tier import Fetch
from cortex_adapters.mlx.kv_blocks import KvBlock, KvRow, can_be_cut, join_blocks, restore_block
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_tree import BLOCK_TOKENS, Match, SequenceRoot, block_names
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


@dataclass(slots=True, eq=False, kw_only=True)
class PrefixFetch:
    """A sequence whose blocks come from disk.

    Attributes:
        root: Where the sequence begins.
        tokens: The sequence.
        first_block: Number of the first block that comes.
        reading: The blocks.
        blocks: Those that have come.
    """

    root: SequenceRoot
    tokens: Sequence[int]
    first_block: int
    reading: Fetch
    blocks: list[KvBlock]

    @property
    def has_news(self) -> bool:
        """Whether blocks have come, or none will any more."""
        return self.reading.has_ended or not self.reading.arrived.empty()


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
        self._layout: tuple[object, ...] | None = None

    def find(self, owner: str, tokens: Sequence[int], /, *, worth_tokens: int = 1) -> FoundPrefix:
        """Finds what is computed already of a sequence, and in memory; fewer than `worth_tokens` are left there."""
        if self._refusal is not None:
            return FoundPrefix(reason=self._refusal)
        match = self._match(owner, tokens)
        if not match.contents:
            return FoundPrefix(reason=match.reason)
        if match.tokens < worth_tokens:
            return FoundPrefix(reason=CacheMissReason.TOO_SHORT)
        caches = tuple(self._make_caches())
        join_blocks(match.contents, caches, tokens=match.tokens)
        return FoundPrefix(tokens=match.tokens, caches=caches, reason=match.reason)

    def known_tokens(self, owner: str, tokens: Sequence[int], /) -> int:
        """Counts what `find` would find now."""
        return 0 if self._refusal is not None else self._match(owner, tokens).tokens

    def fetch(self, owner: str, tokens: Sequence[int], /) -> PrefixFetch | None:
        """Begins to bring what only the disk has of a sequence into memory; None when it has nothing."""
        if self._refusal is not None:
            return None
        root = SequenceRoot(owner, self._model)
        names = list(block_names(root, tokens[:-1]))
        first_block = next((number for number, name in enumerate(names) if name not in self._cache.tree), len(names))
        reading = self._cache.fetch(names[first_block:])
        if reading is None:
            return None
        return PrefixFetch(root=root, tokens=tokens, first_block=first_block, reading=reading, blocks=[])

    def take_fetched(self, fetch: PrefixFetch, /) -> bool:
        """Keeps in memory what has come from disk; returns whether it was the last."""
        has_ended = fetch.reading.has_ended
        try:
            self._take_arrived(fetch)
        except ValueError as error:
            logger.warning("A kept prompt cannot be used again: %s", error)
            fetch.reading.is_unwanted = True
            return True
        return has_ended

    def keep(self, owner: str, tokens: Sequence[int], caches: Sequence[KVCache], /, *, prompt_tokens: int) -> None:
        """Keeps a sequence whose tokens `caches` hold, one cache a layer; on disk its prompt only."""
        if self._refusal is not None or not tokens:
            return
        try:
            self._keep(SequenceRoot(owner, self._model), tokens, caches, prompt_tokens)
        except Exception:
            logger.exception("Nothing more is kept of a model for reuse")
            self._refusal = CacheMissReason.NOT_SUPPORTED
            self.forget()

    def count(self, *, prompt_tokens: int, cached_tokens: int) -> None:
        """Notes a prompt that was begun, and how much of it was reused."""
        self._cache.count(prompt_tokens=prompt_tokens, cached_tokens=cached_tokens)

    def forget(self) -> None:
        """Drops all that is in memory of the model."""
        self._cache.tree.forget_model(self._model)

    def _match(self, owner: str, tokens: Sequence[int]) -> Match[KvBlock]:
        # The last token is always computed: from it the first of the answer is drawn.
        return self._cache.tree.find(SequenceRoot(owner, self._model), tokens[:-1])

    def _take_arrived(self, fetch: PrefixFetch) -> None:
        while not fetch.reading.arrived.empty():
            block = restore_block(fetch.reading.arrived.get(), layers=len(self._make_caches()), tokens=BLOCK_TOKENS)
            self._require_layout(block)
            fetch.blocks.append(block)
        known_tokens = fetch.first_block * BLOCK_TOKENS
        if not fetch.blocks or self._cache.tree.find(fetch.root, fetch.tokens[:known_tokens]).tokens < known_tokens:
            return  # what they follow had to make room meanwhile
        self._cache.tree.keep(
            fetch.root,
            fetch.tokens[: known_tokens + len(fetch.blocks) * BLOCK_TOKENS],
            lambda start, _: fetch.blocks[(start - known_tokens) // BLOCK_TOKENS],
            token_bytes=fetch.blocks[0].nbytes // BLOCK_TOKENS,
        )

    def _require_layout(self, block: KvBlock) -> None:
        self._layout = self._layout or block.layout
        if block.layout != self._layout:
            raise ValueError(f"Its layout is {block.layout}, the model's {self._layout}.")

    def _keep(self, root: SequenceRoot, tokens: Sequence[int], caches: Sequence[KVCache], prompt_tokens: int) -> None:
        row = KvRow(caches)
        cut: list[KvBlock] = []

        def cut_block(start: int, stop: int) -> KvBlock:
            cut.append(row.cut(start, stop))
            return cut[-1]

        names = self._cache.tree.keep(root, tokens, cut_block, token_bytes=row.token_bytes)
        # Scheduled at once: until it is computed, a block holds the whole batch that it was cut from.
        mx.async_eval([(block.keys, block.values) for block in cut])
        self._layout = self._layout or (cut[0].layout if cut else None)
        self._cache.save(names[: prompt_tokens // BLOCK_TOKENS])


def _refusal(cache: PrefixCache, language_model: LanguageModel) -> CacheMissReason | None:
    if not cache.is_enabled:
        return CacheMissReason.DISABLED
    return None if can_be_cut(language_model.make_row_caches()) else CacheMissReason.NOT_SUPPORTED
