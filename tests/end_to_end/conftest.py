from collections.abc import Iterator

import pytest

from cortex_entrypoints import Settings
from tests.end_to_end.live_process import LiveProcess, live_process


@pytest.fixture(scope="session")
def starter_server(starter_settings: Settings) -> Iterator[LiveProcess]:
    settings = {
        "DEFAULT_MODEL": "starter",
        "MODEL_CACHE_DIR": str(starter_settings.model_cache_dir),
        "PREFIX_CACHE_DISK_BYTES": "0",
    }
    with live_process(settings) as server:
        yield server


@pytest.fixture
def echo_server() -> Iterator[LiveProcess]:
    with live_process({"DEFAULT_MODEL": "fake/echo", "SHUTDOWN_GRACE_S": "5"}) as server:
        yield server
