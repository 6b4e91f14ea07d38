"""How the engine below the text generator is doing."""

from dataclasses import dataclass
from enum import StrEnum


class Device(StrEnum):
    """What computes."""

    METAL = "metal"
    CUDA = "cuda"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """One look at the engine.

    Attributes:
        device: What computes.
        active_memory_bytes: Memory that holds models and caches now, in bytes.
        peak_memory_bytes: The most that it was since the engine started, in bytes.
        active_requests: Requests that are being worked on.
        waiting_requests: Requests that were accepted and not begun.
        restarts: How many engines were started in place of one that had ended on its own.
        prefix_cache_memory_bytes: The part of the active memory that holds computed prompts for reuse, in bytes.
        prefix_cache_disk_bytes: Files that hold computed prompts for reuse, in bytes.
        prompt_tokens: Tokens of all prompts since the engine started, cached ones included.
        cached_prompt_tokens: Those of them whose computation was reused.
        failure: Why the engine cannot serve, as a sentence; None while it can.
    """

    device: Device
    active_memory_bytes: int = 0
    peak_memory_bytes: int = 0
    active_requests: int = 0
    waiting_requests: int = 0
    restarts: int = 0
    prefix_cache_memory_bytes: int = 0
    prefix_cache_disk_bytes: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    failure: str | None = None
