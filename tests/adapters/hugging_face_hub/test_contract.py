"""The store on a hub of this machine keeps the contract of its port."""

import pytest

from cortex_contracts.model_store import ModelStoreContract, ModelStoreHarness
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from tests.adapters.hugging_face_hub.conftest import OpenStore
from tests.adapters.hugging_face_hub.local_hub import LocalHub, make_model

LISTED = ModelDescriptor(id=ModelId("someone/listed"), aliases=("listed",), state=ModelState.AVAILABLE)
OTHER = ModelDescriptor(id=ModelId("other"), state=ModelState.AVAILABLE)


class TestHuggingFaceModelStore(ModelStoreContract):
    @pytest.fixture
    def harness(self, hub: LocalHub, open_store: OpenStore) -> ModelStoreHarness:
        for model in (LISTED, OTHER):
            hub.publish(model.id, make_model(weights_bytes=60_000))
        hub.pause_s = 0.005  # so that a pull can be left in its middle
        return ModelStoreHarness(
            store=open_store(LISTED, OTHER), models=(LISTED.id, OTHER.id), missing=ModelId("someone/else"), histories=5
        )
