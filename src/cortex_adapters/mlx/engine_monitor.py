"""Engine monitor on MLX."""

from cortex_adapters.mlx.device import current_device
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_domain.engine_status import EngineStatus
from cortex_domain.ports import EngineMonitor


class MlxEngineMonitor(EngineMonitor):
    """Reports what the engine's host knows, without asking the engine."""

    def __init__(self, *, host: EngineHost) -> None:
        self._host = host
        self._device = current_device()

    def status(self) -> EngineStatus:
        """See `EngineMonitor.status`."""
        return EngineStatus(
            device=self._device,
            active_memory_bytes=self._host.memory_use.active_bytes,
            peak_memory_bytes=self._host.memory_use.peak_bytes,
            active_requests=self._host.active_jobs,
            waiting_requests=self._host.waiting_jobs,
            restarts=self._host.restarts,
            prefix_cache_memory_bytes=self._host.prefix_cache_use.memory_bytes,
            prefix_cache_disk_bytes=self._host.prefix_cache_use.disk_bytes,
            prompt_tokens=self._host.prefix_cache_use.prompt_tokens,
            cached_prompt_tokens=self._host.prefix_cache_use.cached_prompt_tokens,
            failure=self._host.failure,
        )
