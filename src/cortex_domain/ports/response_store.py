"""Port: keeps answers that callers may ask for again."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cortex_domain.stored_responses import StoredItem, StoredResponse


class ResponseStore(Protocol):
    """Keeps responses by their ids.

    Contract:
        - What was put is found with all that it holds, until it is deleted or has to make room. Putting under an id
          that is there replaces what was.
        - Who names an owner finds what belongs to that owner and nothing else; the empty owner is one like any other.
          None stands for whoever knows the id, and finds it whosoever it is.
        - A response refers to the one before it and does not hold it: each is kept, deleted and found for itself.
        - An item is found as long as a response is kept that holds it; of several that have its id, the one put last.
        - How much is kept may be bounded. Then the response goes first that was not put, found or part of a history
          for the longest time.
    """

    @abstractmethod
    async def put(self, response: StoredResponse, /) -> None:
        """Keeps a response.

        Raises:
            StorageError: It cannot be written.
        """

    @abstractmethod
    async def get(self, response_id: str, /, *, owner: str | None) -> StoredResponse:
        """Finds a response.

        Raises:
            ResponseNotFoundError: There is none of this id and owner, or no longer.
            StorageError: It cannot be read.
        """

    @abstractmethod
    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        """Finds a response and all that came before it, the oldest first.

        Raises:
            ResponseNotFoundError: One of them is not there, or no longer; names that one.
            StorageError: They cannot be read.
        """

    @abstractmethod
    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        """Finds an item of any response.

        Raises:
            ResponseItemNotFoundError: No response of this owner holds one of this id, or no longer.
            StorageError: It cannot be read.
        """

    @abstractmethod
    async def delete(self, response_id: str, /, *, owner: str | None) -> None:
        """Forgets a response and its items.

        Raises:
            ResponseNotFoundError: There is none of this id and owner, or no longer.
            StorageError: It cannot be deleted.
        """
