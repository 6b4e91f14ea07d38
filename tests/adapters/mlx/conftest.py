from collections.abc import AsyncIterator

import pytest

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.system.clock import SystemClock
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def host() -> AsyncIterator[EngineHost]:
    host = EngineHost(lambda: Engine(clock=SystemClock()))
    await host.start()
    yield host
    await host.stop()
