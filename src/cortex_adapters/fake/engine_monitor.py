"""How the fake engine is doing."""

from cortex_adapters.fake.model_loader import FakeModelLoader
from cortex_adapters.fake.text_generator import FakeTextGenerator
from cortex_domain.engine_status import Device, EngineStatus
from cortex_domain.ports import EngineMonitor


class FakeEngineMonitor(EngineMonitor):
    """Counts what the fake loader and the fake text generator really do.

    Attributes:
        failure: Why the engine should seem unable to serve; None while it serves. May be set at any time.
    """

    def __init__(self, *, loader: FakeModelLoader, generator: FakeTextGenerator, failure: str | None = None) -> None:
        self._loader = loader
        self._generator = generator
        self.failure = failure

    def status(self) -> EngineStatus:
        """Returns how the engine is doing now."""
        return EngineStatus(
            device=Device.CPU,
            active_memory_bytes=self._loader.memory_bytes,
            peak_memory_bytes=self._loader.peak_memory_bytes,
            active_requests=self._generator.active_requests,
            failure=self.failure,
        )
