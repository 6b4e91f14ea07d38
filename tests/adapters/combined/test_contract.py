"""Several stores as one keep the contract that each of them keeps."""

import pytest

from cortex_adapters.combined import CombinedModelStore
from cortex_adapters.fake import FakeModelStore
from cortex_contracts.model_store import ModelStoreContract, ModelStoreHarness
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState


def store_of(*names: str) -> FakeModelStore:
    return FakeModelStore(
        ModelDescriptor(id=ModelId(f"a/{name}"), aliases=(name,), state=ModelState.AVAILABLE, size_bytes=1000)
        for name in names
    )


class TestCombinedModelStore(ModelStoreContract):
    @pytest.fixture
    def harness(self) -> ModelStoreHarness:
        store = CombinedModelStore([store_of("two", "four"), store_of("one", "three")])
        models = [ModelId(f"a/{name}") for name in ("one", "two", "three", "four")]
        return ModelStoreHarness(store=store, models=models, missing=ModelId("a/five"))
