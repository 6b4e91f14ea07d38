"""What computes, and how much memory it has: the only place that asks MLX which device it runs on."""

from dataclasses import dataclass

import mlx.core as mx

from cortex_adapters.mlx.system_memory import system_memory
from cortex_adapters.mlx.weight_format import WeightFormat
from cortex_domain.engine_status import Device

_CACHED_SHARE = 1 / 32
"""Share of the device's memory that MLX may keep for reuse. Little is kept of what models and caches need."""

_OUT_OF_MEMORY = ("out of memory", "outofmemory", "unable to allocate", "attempting to allocate")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory that MLX holds in this process.

    Attributes:
        active_bytes: Arrays that are alive, in bytes.
        peak_bytes: The most that was ever alive at once, in bytes.
    """

    active_bytes: int = 0
    peak_bytes: int = 0


def current_device() -> Device:
    """Tells what MLX computes on by default."""
    if mx.default_device().type == mx.cpu:
        return Device.CPU
    return Device.METAL if mx.metal.is_available() else Device.CUDA


def preferred_weight_format() -> WeightFormat:
    """Chooses the format in which this device runs a small model fastest (one stream; see `WeightFormat`)."""
    return WeightFormat.FLOAT32 if current_device() is Device.CPU else WeightFormat.FOUR_BIT


def memory_use() -> MemoryUse:
    """Reads MLX's own counters."""
    return MemoryUse(active_bytes=mx.get_active_memory(), peak_bytes=mx.get_peak_memory())


def available_memory_bytes() -> int:
    """Estimates the memory, in bytes, that may still be taken; what MLX keeps for reuse counts as free.

    Metal shares the machine's memory and names a working set that it keeps resident; CUDA reports its own memory where
    the build tells it. Elsewhere it is what the operating system calls available.
    """
    reusable_bytes, active_bytes = mx.get_cache_memory(), mx.get_active_memory()
    match current_device():
        case Device.METAL:
            return min(system_memory().available_bytes + reusable_bytes, total_memory_bytes() - active_bytes)
        case Device.CUDA:
            unused_bytes = total_memory_bytes() - active_bytes - reusable_bytes
            return int(mx.device_info().get("free_memory", unused_bytes)) + reusable_bytes
        case Device.CPU:
            return system_memory().available_bytes + reusable_bytes


def total_memory_bytes() -> int:
    """Returns all the memory that models could ever have, in bytes."""
    info, total_bytes = mx.device_info(), system_memory().total_bytes
    match current_device():
        case Device.METAL:
            return min(total_bytes, int(info["max_recommended_working_set_size"]))
        case Device.CUDA:
            return int(info.get("total_memory", total_bytes))
        case Device.CPU:
            return total_bytes


def prefix_cache_share_bytes() -> int:
    """Returns the memory, in bytes, that computed prompts may take when nobody says: an eighth of what there is."""
    return total_memory_bytes() // 8


def reuse_overhead_s() -> float:
    """Returns what it costs to begin a sequence with keys and values that are kept, in seconds.

    Some hundred small kernels bring them to their place; on one H200 they took as long as reading some 50 tokens. On a
    CPU nothing is as slow as reading.
    """
    return 0.0 if current_device() is Device.CPU else 0.002


def compiles_kernels() -> bool:
    """Tells whether this device compiles its kernels when they are first used, which takes seconds."""
    return current_device() is not Device.CPU


def bound_cached_memory() -> None:
    """Bounds the memory that MLX keeps for reuse by a share of what the device has."""
    mx.set_cache_limit(int(total_memory_bytes() * _CACHED_SHARE))


def is_out_of_memory(error: BaseException, /) -> bool:
    """Tells whether something failed for want of memory; of MLX only the words tell.

    That is so where a device's allocator raises, on Metal and CUDA. On a CPU the process ends instead.
    """
    said = str(error).casefold()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


def release_cached_memory() -> None:
    """Gives the memory that MLX keeps for reuse back to the system."""
    mx.clear_cache()


def leave_thread() -> None:
    """Ends MLX's work on the calling thread; call it last on every thread that used MLX."""
    mx.synchronize()
    mx.clear_streams()
