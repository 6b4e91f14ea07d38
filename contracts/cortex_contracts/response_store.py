"""The contract of `cortex_domain.ports.ResponseStore`. It leaves nothing behind that it did not find."""

import asyncio
import itertools
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cortex_contracts.checks import checks
from cortex_domain.errors import ResponseItemNotFoundError, ResponseNotFoundError
from cortex_domain.ports import ResponseStore
from cortex_domain.stored_responses import StoredItem, StoredResponse

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStoreHarness:
    """What the contract needs.

    Attributes:
        store: The adapter under test; has room for a dozen small responses besides those that are in it.
        histories: How many sequences of calls are tried out.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    store: ResponseStore
    histories: int = 30
    patience_s: float = 60.0


@pytest.mark.asyncio
class ResponseStoreContract:
    """Subclass this and define a fixture `harness` that returns a `ResponseStoreHarness`."""

    @checks("response_store.keeps_what_was_put")
    async def test_keeps_what_was_put(self, harness: ResponseStoreHarness) -> None:
        """Puts responses with and without items, and compares all that they hold."""
        full = replace(_response(content=b'{"text": "\xc3\xa4\x00"}'), events=b"data: {}\n\n")
        empty = replace(_response(previous=full), input_items=(), output_items=(), content=b"")
        for response in (full, empty):
            await harness.store.put(response)
        for response in (empty, full):
            assert await harness.store.get(response.id, owner=response.owner) == response
        await _forget(harness, full, empty)

    @checks("response_store.put_again_replaces")
    async def test_put_again_replaces(self, harness: ResponseStoreHarness) -> None:
        """Puts another response under an id, with other items."""
        before = _response()
        after = replace(_response(content=b"after"), id=before.id)
        await harness.store.put(before)
        await harness.store.put(after)
        assert await harness.store.get(before.id, owner=None) == after
        with pytest.raises(ResponseItemNotFoundError):
            await harness.store.get_item(before.items[0].id, owner=None)
        await _forget(harness, after)

    @checks("response_store.unknown_refused")
    async def test_unknown_refused(self, harness: ResponseStoreHarness) -> None:
        """Asks for ids that nobody put."""
        unknown = _response()
        for ask in (harness.store.get, harness.store.history, harness.store.delete):
            with pytest.raises(ResponseNotFoundError) as caught:
                await ask(unknown.id, owner=unknown.owner)
            assert caught.value.response_id == unknown.id
        with pytest.raises(ResponseItemNotFoundError) as missing:
            await harness.store.get_item(unknown.items[0].id, owner=None)
        assert missing.value.item_id == unknown.items[0].id

    @checks("response_store.owners_are_apart")
    async def test_owners_are_apart(self, harness: ResponseStoreHarness) -> None:
        """Asks for one owner's response and item in the names of others, the empty one among them."""
        mine = _response(owner="mine")
        await harness.store.put(mine)
        for other in ("", "theirs"):
            for ask in (harness.store.get, harness.store.history, harness.store.delete):
                with pytest.raises(ResponseNotFoundError):
                    await ask(mine.id, owner=other)
            with pytest.raises(ResponseItemNotFoundError):
                await harness.store.get_item(mine.items[0].id, owner=other)
        await _forget(harness, mine)

    @checks("response_store.no_owner_finds_any")
    async def test_no_owner_finds_any(self, harness: ResponseStoreHarness) -> None:
        """Asks for an owner's response and item by their ids alone."""
        mine = _response(owner="mine")
        await harness.store.put(mine)
        assert await harness.store.get(mine.id, owner=None) == mine
        assert list(await harness.store.history(mine.id, owner=None)) == [mine]
        assert await harness.store.get_item(mine.items[0].id, owner=None) == mine.items[0]
        await harness.store.delete(mine.id, owner=None)

    @checks("response_store.history_in_order")
    async def test_history_in_order(self, harness: ResponseStoreHarness) -> None:
        """Builds two conversations that begin alike."""
        first = _response()
        second, other = _response(previous=first), _response(previous=first)
        third = _response(previous=second)
        for response in (first, second, third, other):
            await harness.store.put(response)
        assert list(await harness.store.history(first.id, owner=first.owner)) == [first]
        assert list(await harness.store.history(third.id, owner=first.owner)) == [first, second, third]
        assert list(await harness.store.history(other.id, owner=first.owner)) == [first, other]
        await _forget(harness, first, second, third, other)

    @checks("response_store.gap_in_history_refused")
    async def test_gap_in_history_refused(self, harness: ResponseStoreHarness) -> None:
        """Deletes the middle of a conversation; what is around it stays."""
        first = _response()
        second = _response(previous=first)
        third = _response(previous=second)
        for response in (first, second, third):
            await harness.store.put(response)
        await harness.store.delete(second.id, owner=second.owner)
        with pytest.raises(ResponseNotFoundError) as caught:
            await harness.store.history(third.id, owner=third.owner)
        assert caught.value.response_id == second.id
        assert await harness.store.get(third.id, owner=third.owner) == third
        await _forget(harness, first, third)

    @checks("response_store.finds_items")
    async def test_finds_items(self, harness: ResponseStoreHarness) -> None:
        """Asks for what was said and answered, and for an id that two responses have."""
        first = _response()
        shared = replace(first.input_items[0], content=b"said again")
        second = replace(_response(previous=first), input_items=(shared,))
        await harness.store.put(first)
        for item in first.items:
            assert await harness.store.get_item(item.id, owner=first.owner) == item
        await harness.store.put(second)
        assert await harness.store.get_item(shared.id, owner=first.owner) == shared
        await harness.store.delete(second.id, owner=second.owner)
        assert await harness.store.get_item(shared.id, owner=first.owner) == first.input_items[0]
        await _forget(harness, first)

    @checks("response_store.deleted_is_gone")
    async def test_deleted_is_gone(self, harness: ResponseStoreHarness) -> None:
        """Deletes a response, and asks for it and its items."""
        response = _response()
        await harness.store.put(response)
        await harness.store.delete(response.id, owner=response.owner)
        with pytest.raises(ResponseNotFoundError):
            await harness.store.get(response.id, owner=response.owner)
        for item in response.items:
            with pytest.raises(ResponseItemNotFoundError):
                await harness.store.get_item(item.id, owner=response.owner)

    @checks("response_store.state_follows_history")
    async def test_state_follows_history(self, harness: ResponseStoreHarness) -> None:
        """Puts, puts again and deletes in many orders, and compares the store with a dict after each step."""
        loop = asyncio.get_running_loop()

        def wait_for(coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        await asyncio.to_thread(
            run_state_machine_as_test,
            lambda: _History(harness.store, wait_for),  # type: ignore[arg-type]  # takes functions too
            settings=settings(
                max_examples=harness.histories,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
            ),
        )


class _History(RuleBasedStateMachine):
    """Runs in a thread of its own, because hypothesis is synchronous, and asks the store on its event loop."""

    def __init__(self, store: ResponseStore, wait_for: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        super().__init__()
        self._store = store
        self._wait_for = wait_for
        self._places = [_response() for _ in range(4)]
        self._kept: dict[str, StoredResponse] = {}
        self._versions = itertools.count()

    @rule(place=st.integers(min_value=0, max_value=3))
    def put(self, place: int) -> None:
        response = replace(self._places[place], content=b"version %d" % next(self._versions))
        self._wait_for(self._store.put(response))
        self._kept[response.id] = response

    @rule(place=st.integers(min_value=0, max_value=3))
    def delete(self, place: int) -> None:
        response = self._places[place]
        if self._kept.pop(response.id, None) is not None:
            self._wait_for(self._store.delete(response.id, owner=response.owner))

    @invariant()
    def agrees(self) -> None:
        for response in self._places:
            assert self._wait_for(_find(self._store, response)) == self._kept.get(response.id)

    def teardown(self) -> None:
        for response in self._kept.values():
            self._wait_for(self._store.delete(response.id, owner=response.owner))


def _response(
    *, owner: str = "somebody", previous: StoredResponse | None = None, content: bytes = b"{}"
) -> StoredResponse:
    """Builds a response of ids that no store knows."""
    return StoredResponse(
        id=f"resp_{uuid.uuid4().hex}",
        owner=owner,
        previous_id=None if previous is None else previous.id,
        input_items=(_item(b"one"), _item(b"two")),
        output_items=(_item(b"three"),),
        content=content,
    )


def _item(content: bytes) -> StoredItem:
    return StoredItem(id=f"msg_{uuid.uuid4().hex}", content=content)


async def _find(store: ResponseStore, response: StoredResponse) -> StoredResponse | None:
    try:
        return await store.get(response.id, owner=response.owner)
    except ResponseNotFoundError:
        return None


async def _forget(harness: ResponseStoreHarness, *responses: StoredResponse) -> None:
    for response in responses:
        await harness.store.delete(response.id, owner=response.owner)
