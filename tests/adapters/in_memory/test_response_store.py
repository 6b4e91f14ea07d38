"""Responses in memory: the contract, and the bounds."""

import tracemalloc

import pytest

from cortex_adapters.in_memory import InMemoryResponseStore
from cortex_contracts.response_store import ResponseStoreContract, ResponseStoreHarness
from cortex_domain.errors import ResponseItemNotFoundError, ResponseNotFoundError
from cortex_domain.stored_responses import StoredItem, StoredResponse


class TestInMemoryResponseStore(ResponseStoreContract):
    @pytest.fixture
    def harness(self) -> ResponseStoreHarness:
        return ResponseStoreHarness(store=InMemoryResponseStore(max_responses=12))


def _response(name: str, *, previous: str | None = None, content: bytes = b"") -> StoredResponse:
    item = StoredItem(id=f"msg_{name}", content=content)
    return StoredResponse(
        id=name, owner="", previous_id=previous, input_items=(item,), output_items=(), content=b"whole"
    )


async def _kept(store: InMemoryResponseStore, *names: str) -> list[str]:
    """Looks who is there without using anybody."""
    kept = []
    for name in names:
        try:
            await store.get_item(f"msg_{name}", owner=None)
        except ResponseItemNotFoundError:
            continue
        kept.append(name)
    return kept


async def test_the_one_unused_for_longest_goes_first() -> None:
    store = InMemoryResponseStore(max_responses=3)
    for name in "abc":
        await store.put(_response(name))
    await store.get("a", owner=None)
    await store.put(_response("d"))
    assert await _kept(store, *"abcd") == ["a", "c", "d"]
    with pytest.raises(ResponseNotFoundError):
        await store.get("b", owner=None)


async def test_going_on_with_a_conversation_uses_all_of_it() -> None:
    store = InMemoryResponseStore(max_responses=3)
    await store.put(_response("a"))
    await store.put(_response("b", previous="a"))
    await store.put(_response("c"))
    await store.history("b", owner=None)
    await store.put(_response("d"))
    assert await _kept(store, *"abcd") == ["a", "b", "d"]


async def test_bytes_are_bounded_and_come_back() -> None:
    store = InMemoryResponseStore(max_bytes=1_000_000)
    for round_ in range(3):
        for number in range(20):
            await store.put(_response(f"r{number}", content=bytes(200_000)))
        kept = await _kept(store, *[f"r{number}" for number in range(20)])
        assert kept == ["r16", "r17", "r18", "r19"], round_
        for name in kept:
            await store.delete(name, owner=None)


async def test_what_is_larger_than_all_room_is_not_kept_and_pushes_out_the_rest() -> None:
    store = InMemoryResponseStore(max_bytes=10_000)
    await store.put(_response("small"))
    await store.put(_response("large", content=bytes(20_000)))
    assert await _kept(store, "small", "large") == []


async def test_a_circle_ends() -> None:
    store = InMemoryResponseStore()
    await store.put(_response("a", previous="b"))
    await store.put(_response("b", previous="a"))
    assert [response.id for response in await store.history("a", owner=None)] == ["b", "a"]


async def test_the_bound_is_that_of_the_memory_taken() -> None:
    max_bytes = 2_000_000
    store = InMemoryResponseStore(max_bytes=max_bytes)
    tracemalloc.start()
    try:
        for number in range(5_000):
            await store.put(_response(f"response_{number:032}", content=bytes(100)))
        taken_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 * max_bytes < taken_bytes < 1.1 * max_bytes
