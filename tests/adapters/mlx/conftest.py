from collections.abc import AsyncIterator

import pytest

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_link import EngineLink
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.thread_link import ThreadLink
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.tiny_model import write_tiny_model
from tests.adapters.mlx.watched_host import WatchedHost


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def thread_host() -> AsyncIterator[EngineHost]:
    host = EngineHost(ThreadLink(Engine))
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def watched(tiny_files: ModelFiles) -> AsyncIterator[WatchedHost]:
    watched = WatchedHost()
    await watched.host.start()
    await watched.host.load(tiny_files)
    yield watched
    await watched.host.stop()


@pytest.fixture(scope="module")
async def long_lived_process_host() -> AsyncIterator[EngineHost]:
    host = EngineHost(ProcessLink())
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def process_host(long_lived_process_host: EngineHost) -> AsyncIterator[EngineHost]:
    """A host as good as new; the worker itself, which takes a second to start, serves a whole module."""
    yield long_lived_process_host
    for model in long_lived_process_host.models:
        await long_lived_process_host.unload(model.id)


@pytest.fixture(params=["thread", "process"])
def host(request: pytest.FixtureRequest) -> EngineHost:
    """A started host; what holds for an engine holds wherever it runs."""
    host: EngineHost = request.getfixturevalue(f"{request.param}_host")
    return host


@pytest.fixture(params=["thread", "process"])
def link(request: pytest.FixtureRequest) -> EngineLink:
    return ThreadLink(Engine) if request.param == "thread" else ProcessLink()
