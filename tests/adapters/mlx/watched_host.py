"""A host whose engine can be looked into."""

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.thread_link import ThreadLink
from cortex_domain.language_models import ModelId


class WatchedHost:
    """A host whose engine runs on a thread."""

    def __init__(self) -> None:
        self.engines: list[Engine] = []
        self.host = EngineHost(ThreadLink(self._make_engine))

    async def has_work(self) -> bool:
        await self.obedience()
        return self.engines[-1].has_work

    async def obedience(self) -> None:
        """Waits until the engine has done all that it was told."""
        await self.host.unload(ModelId("tests/nothing"))

    def _make_engine(self) -> Engine:
        self.engines.append(Engine())
        return self.engines[-1]
