"""Keeps keys and values of what was computed, so that a prompt that begins alike need not be read again.

One cache serves all models of an engine: in memory, under one budget, and on disk, under another. What is on disk is
brought into memory before the sequence that wants it begins. Owners share nothing: a block of one is never found for
another.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from cortex_adapters.mlx.block_directory import BlockDirectory
from cortex_adapters.mlx.device import prefix_cache_share_bytes
from cortex_adapters.mlx.disk_tier import DiskTier, Fetch
from cortex_adapters.mlx.kv_blocks import KvBlock
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits, PrefixCacheUse
from cortex_adapters.mlx.prefix_tree import BlockName, PrefixTree

logger = logging.getLogger(__name__)

_CLOSING_PATIENCE_S = 3.0
_BUSY_SHARE = 0.02
"""Part of the time that goes to copying blocks for the disk while others wait: each waits for what it copied."""
_POLL_S = 0.005


class PrefixCache:
    """What an engine keeps of all its models.

    Args:
        limits: What may be kept.
        wake: Called on some thread when `has_work` or a fetch may have changed.

    Attributes:
        tree: The blocks in memory.
        is_enabled: Whether anything may be kept.
    """

    def __init__(self, limits: PrefixCacheLimits, wake: Callable[[], None] = lambda: None) -> None:
        budget_bytes = prefix_cache_share_bytes() if limits.memory_bytes is None else limits.memory_bytes
        self.tree = PrefixTree[KvBlock](budget_bytes)
        self.is_enabled = budget_bytes > 0
        self._disk = _open_disk(limits, wake) if self.is_enabled else None
        self._unsaved: dict[BlockName, None] = {}
        self._next_busy_write_s = 0.0
        self._prompt_tokens = 0
        self._cached_prompt_tokens = 0

    @property
    def use(self) -> PrefixCacheUse:
        """What is kept, and what it was good for."""
        return PrefixCacheUse(
            memory_bytes=self.tree.nbytes,
            disk_bytes=0 if self._disk is None else self._disk.nbytes,
            prompt_tokens=self._prompt_tokens,
            cached_prompt_tokens=self._cached_prompt_tokens,
            evictions=self.tree.evictions,
        )

    @property
    def has_work(self) -> bool:
        """Whether `advance` would do anything."""
        return self._disk is not None and bool(self._unsaved) and self._disk.can_write

    def advance(self, *, is_busy: bool = False) -> None:
        """Hands one block to the disk.

        Args:
            is_busy: Whether somebody waits for a token meanwhile; then it is done only now and then.
        """
        began_s = time.monotonic()
        if self._disk is None or not self.has_work or (is_busy and began_s < self._next_busy_write_s):
            return
        name = next(iter(self._unsaved))
        del self._unsaved[name]
        block = self.tree.content(name)
        if block is not None:
            self._disk.write(_file_name(name), block.store())
        ended_s = time.monotonic()
        self._next_busy_write_s = ended_s + (ended_s - began_s) / _BUSY_SHARE

    def save(self, names: Iterable[BlockName], /) -> None:
        """Has blocks that are in memory kept on disk too, sooner or later; they follow each other in a sequence."""
        if self._disk is None:
            return
        saved = []
        for name in names:
            if _file_name(name) in self._disk:
                saved.append(_file_name(name))
            else:
                self._unsaved[name] = None
        self._disk.touch(saved[::-1])

    def fetch(self, names: Iterable[BlockName], /) -> Fetch | None:
        """Begins to read blocks from disk, up to the first that is not there; None when that is the first of all."""
        if self._disk is None:
            return None
        found = []
        for name in names:
            if _file_name(name) not in self._disk:
                break
            found.append(_file_name(name))
        return self._disk.fetch(found) if found else None

    def shrink(self, size_bytes: int) -> int:
        """Makes room until no more than this is in memory; returns how many bytes that freed."""
        return self.tree.shrink(size_bytes)

    def count(self, *, prompt_tokens: int, cached_tokens: int) -> None:
        """Notes a prompt that was begun, and how much of it was reused."""
        self._prompt_tokens += prompt_tokens
        self._cached_prompt_tokens += cached_tokens

    def flush(self) -> None:
        """Hands to the disk what still is to be kept there, as far as it takes it in a few seconds."""
        ends_s = time.monotonic() + _CLOSING_PATIENCE_S
        while self._disk is not None and self._unsaved and time.monotonic() < ends_s:
            if self.has_work:
                self.advance()
            else:
                time.sleep(_POLL_S)

    def close(self) -> None:
        """Ends the work on disk."""
        if self._disk is not None:
            self._disk.close(patience_s=_CLOSING_PATIENCE_S)


def _open_disk(limits: PrefixCacheLimits, wake: Callable[[], None]) -> DiskTier | None:
    if not limits.disk_bytes or limits.directory is None:
        return None
    try:
        return DiskTier(BlockDirectory(Path(limits.directory), budget_bytes=limits.disk_bytes), wake)
    except OSError as error:
        logger.warning("No prompts are kept on disk in %s: %s", limits.directory, error)
        return None


def _file_name(name: BlockName) -> str:
    return hashlib.sha256(name.digest + name.owner.encode("utf-8", "surrogatepass")).hexdigest()
