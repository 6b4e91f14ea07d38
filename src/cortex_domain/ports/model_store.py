"""Port: keeps models on disk and fetches them."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cortex_domain.events import PullEvent
from cortex_domain.language_models import ModelDescriptor, ModelFiles, ModelId


class ModelStore(Protocol):
    """Knows models by id and alias and keeps their files.

    Contract:
        - `list_models` gives each model once, sorted by id, as `downloaded` or `available`.
        - `describe` finds what is listed, by id or alias.
        - A model is `downloaded` exactly when `locate` returns its files, and these are complete.
        - `pull` follows the rules of `cortex_domain.event_stream`. One that ends early, by error or by leaving the
          block, leaves the model not downloaded; a later pull goes on from what is there, unless the store downloads
          nothing. A pull of a model that is downloaded finishes at once.
        - `delete` removes all that a model keeps on disk. A model without files is left as it is.
    """

    @abstractmethod
    async def list_models(self) -> Sequence[ModelDescriptor]:
        """Lists the models on disk and those of the catalogue.

        Raises:
            StorageError: The disk cannot be read.
        """

    @abstractmethod
    async def describe(self, name: str, /) -> ModelDescriptor:
        """Finds a model by its id or an alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            StorageError: The disk cannot be read.
        """

    @abstractmethod
    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        """Finds a model's files.

        Raises:
            InvalidRequestError: The id cannot name a model.
            ModelNotFoundError: No model has this id.
            ModelNotDownloadedError: The files are not here.
            InvalidModelError: Files are here but damaged, or not of a model.
            StorageError: The disk cannot be read.
        """

    @abstractmethod
    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Fetches a model's files; `model_id` need not be listed.

        Raises:
            InvalidRequestError: On entering; the id cannot name a model.
            ModelNotFoundError: On entering or iterating; the source has no such model, or no longer.
            ModelAccessDeniedError: On entering or iterating; the source refuses it, or does so now.
            InvalidModelError: On entering or iterating; what the source has is not a model, or arrived altered.
            InsufficientStorageError: On entering; the disk is too small.
            ModelDownloadError: On entering or iterating; the source failed.
            StorageError: On entering or iterating; the disk cannot be written.
        """

    @abstractmethod
    async def delete(self, model_id: ModelId, /) -> None:
        """Removes a model's files.

        Raises:
            InvalidRequestError: The id cannot name a model.
            ModelNotFoundError: No model has this id.
            StorageError: The files cannot be removed.
        """
