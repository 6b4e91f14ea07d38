"""Use case: list the models."""

from collections.abc import Sequence

from cortex_domain.language_models import ModelDescriptor
from cortex_domain.ports import ModelStore
from cortex_domain.use_cases.describe_model import DescribeModel


class ListModels:
    """Lists what the store has, each model described as it is served."""

    def __init__(self, *, store: ModelStore, describe_model: DescribeModel) -> None:
        self._store = store
        self._describe_model = describe_model

    async def __call__(self) -> Sequence[ModelDescriptor]:
        """Lists the models on disk and those of the catalogue, sorted by id.

        Raises:
            StorageError: The disk cannot be read.
        """
        return [await self._describe_model.as_served(descriptor) for descriptor in await self._store.list_models()]
