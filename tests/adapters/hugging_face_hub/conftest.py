from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from cortex_adapters.hugging_face_hub import HuggingFaceModelStore
from cortex_domain.language_models import ModelDescriptor
from tests.adapters.hugging_face_hub.local_hub import LocalHub


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the client use the network, which here ends at this machine."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


OpenStore = Callable[..., HuggingFaceModelStore]


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub().running() as hub:
        yield hub


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def open_store(hub: LocalHub, cache_dir: Path) -> OpenStore:
    """Opens a store on the local hub; call it twice for two stores on one directory."""

    def open_one(*catalogue: ModelDescriptor, endpoint: str | None = None) -> HuggingFaceModelStore:
        return HuggingFaceModelStore(
            cache_dir=cache_dir,
            catalogue=catalogue,
            endpoint=endpoint or hub.url,
            token="hf_secret",
            progress_interval_s=0.01,
            retry_pause_s=0,
        )

    return open_one


@pytest.fixture
def store(open_store: OpenStore) -> HuggingFaceModelStore:
    return open_store()
