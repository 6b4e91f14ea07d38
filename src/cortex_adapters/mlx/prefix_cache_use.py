"""What a prefix cache may take, and what it has taken: plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixCacheLimits:
    """What may be kept.

    Attributes:
        memory_bytes: Bytes in memory; 0 keeps nothing, None leaves it to the device (see `prefix_cache_share_bytes`).
        disk_bytes: Bytes on disk; 0 keeps nothing there. What is on disk is used by way of the memory.
        directory: Where on disk; None keeps nothing there.
    """

    memory_bytes: int | None = None
    disk_bytes: int = 0
    directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixCacheUse:
    """What is kept now, and what it was good for since the engine started.

    Attributes:
        memory_bytes: Blocks in memory, in bytes.
        disk_bytes: Blocks on disk, in bytes.
        prompt_tokens: Tokens of all prompts that were begun, cached ones included.
        cached_prompt_tokens: Those of them that were reused.
        evictions: Blocks that had to make room in memory for others.
    """

    memory_bytes: int = 0
    disk_bytes: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    evictions: int = 0
