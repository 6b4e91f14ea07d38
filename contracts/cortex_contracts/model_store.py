"""The contract of `cortex_domain.ports.ModelStore`."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cortex_contracts.checks import checks
from cortex_domain.errors import (
    CortexError,
    InvalidRequestError,
    ModelNotDownloadedError,
    ModelNotFoundError,
)
from cortex_domain.event_stream import PullRules
from cortex_domain.events import PullEvent, PullFinished, PullProgress
from cortex_domain.language_models import ModelFiles, ModelId, ModelState
from cortex_domain.ports import ModelStore

BAD_NAMES = ("", "../outside", "a/b/c", "/root", "a/..", ".hidden/name", "name with spaces", "a--b", "a-")

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStoreHarness:
    """What the contract needs.

    Attributes:
        store: The adapter under test.
        models: Models that the store lists and can pull quickly; at least one. They are pulled and deleted often.
        missing: A well-formed id that neither the store nor its source knows.
        resumes: Whether a pull goes on from what an earlier one left; False for a store that downloads nothing.
        histories: Sequences of pulls and deletes that are tried out.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    store: ModelStore
    models: Sequence[ModelId]
    missing: ModelId
    resumes: bool = True
    histories: int = 20
    patience_s: float = 300.0


@pytest.mark.asyncio
class ModelStoreContract:
    """Subclass this and define a fixture `harness` that returns a `ModelStoreHarness`."""

    @checks("model_store.list_is_sorted")
    async def test_list_is_sorted(self, harness: ModelStoreHarness) -> None:
        """Looks at the ids and states of the list."""
        listed = await harness.store.list_models()
        assert all(earlier.id < later.id for earlier, later in pairwise(listed))
        assert {model.state for model in listed} <= {ModelState.DOWNLOADED, ModelState.AVAILABLE}
        assert set(harness.models) <= {model.id for model in listed}

    @checks("model_store.describe_finds_listed")
    async def test_describe_finds_listed(self, harness: ModelStoreHarness) -> None:
        """Looks up all that is listed, by every name that it has."""
        for listed in await harness.store.list_models():
            for name in (listed.id, *listed.aliases):
                assert await harness.store.describe(name) == listed

    @checks("model_store.unknown_model_refused")
    async def test_unknown_model_refused(self, harness: ModelStoreHarness) -> None:
        """Asks for the missing model in every way."""
        pull = partial(_pull, harness.store)
        for ask in (harness.store.describe, harness.store.locate, harness.store.delete, pull):
            with pytest.raises(ModelNotFoundError) as caught:
                await ask(harness.missing)
            assert caught.value.model_id == harness.missing

    @checks("model_store.bad_name_refused")
    async def test_bad_name_refused(self, harness: ModelStoreHarness) -> None:
        """Uses names that would leave the store's directory or mean nothing."""
        pull = partial(_pull, harness.store)
        for name in map(ModelId, BAD_NAMES):
            for ask in (harness.store.describe, harness.store.locate, harness.store.delete, pull):
                with pytest.raises(InvalidRequestError):
                    await ask(name)

    @checks("model_store.locate_refuses_absent")
    async def test_locate_refuses_absent(self, harness: ModelStoreHarness) -> None:
        """Asks for the files of a model that is only listed."""
        await _make_absent(harness.store, harness.models[0])
        with pytest.raises(ModelNotDownloadedError) as caught:
            await harness.store.locate(harness.models[0])
        assert caught.value.model_id == harness.models[0]

    @checks("model_store.locate_matches_pull")
    async def test_locate_matches_pull(self, harness: ModelStoreHarness) -> None:
        """Compares the last event of a pull with what is found afterwards."""
        pulled = (await _pull(harness.store, harness.models[0]))[-1]
        assert isinstance(pulled, PullFinished)
        files = await harness.store.locate(harness.models[0])
        found = PullFinished(model=files.model_id, revision=files.revision, size_bytes=files.size_bytes)
        assert found == pulled == replace(pulled, model=harness.models[0])

    @checks("model_store.pull_stream_order")
    async def test_pull_stream_order(self, harness: ModelStoreHarness) -> None:
        """Holds a pull against the rules of the domain."""
        await _make_absent(harness.store, harness.models[0])
        rules = PullRules()
        for event in await _pull(harness.store, harness.models[0]):
            rules.accept(event)
        rules.close()

    @checks("model_store.pull_refused_on_entering")
    async def test_pull_refused_on_entering(self, harness: ModelStoreHarness) -> None:
        """Pulls the missing model, and fails if the block is reached."""
        with pytest.raises(ModelNotFoundError):
            async with harness.store.pull(harness.missing):
                raise AssertionError("The pull was accepted.")

    @checks("model_store.pull_again_finishes_at_once")
    async def test_pull_again_finishes_at_once(self, harness: ModelStoreHarness) -> None:
        """Pulls twice; the second time nothing may be missing at any moment."""
        await _pull(harness.store, harness.models[0])
        again = await _pull(harness.store, harness.models[0])
        assert all(event.completed_bytes == event.total_bytes for event in again if isinstance(event, PullProgress))
        assert isinstance(again[-1], PullFinished)

    @checks("model_store.pull_resumes")
    async def test_pull_resumes(self, harness: ModelStoreHarness) -> None:
        """Leaves a pull when it has progressed twice; the next one begins no lower and finishes."""
        await _make_absent(harness.store, harness.models[0])
        left_at = _completed_bytes(await _pull(harness.store, harness.models[0], leave_at=2))
        resumed = await _pull(harness.store, harness.models[0])
        assert isinstance(resumed[-1], PullFinished)
        resumed_at = min(_completed_bytes(resumed), default=math.inf)
        assert resumed_at >= max(left_at, default=0) or not harness.resumes

    @checks("model_store.delete_is_idempotent")
    async def test_delete_is_idempotent(self, harness: ModelStoreHarness) -> None:
        """Deletes a model that has no files."""
        await _make_absent(harness.store, harness.models[0])
        await harness.store.delete(harness.models[0])
        assert (await harness.store.describe(harness.models[0])).state is ModelState.AVAILABLE

    @checks("model_store.state_follows_history")
    async def test_state_follows_history(self, harness: ModelStoreHarness) -> None:
        """Pulls, leaves pulls and deletes in many orders, and compares the store with a dict after each step."""
        loop = asyncio.get_running_loop()

        def wait_for(coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        await asyncio.to_thread(
            run_state_machine_as_test,
            lambda: _History(harness.store, harness.models, wait_for),  # type: ignore[arg-type]  # takes functions too
            settings=settings(
                max_examples=harness.histories,
                stateful_step_count=8,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )


class _History(RuleBasedStateMachine):
    """Runs in a thread of its own, because hypothesis is synchronous, and asks the store on its event loop."""

    def __init__(
        self,
        store: ModelStore,
        models: Sequence[ModelId],
        wait_for: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:
        super().__init__()
        self._store = store
        self._models = models
        self._wait_for = wait_for
        for model_id in models:
            wait_for(_make_absent(store, model_id))
        self._is_here = dict.fromkeys(models, False)

    @rule(choice=st.integers(min_value=0, max_value=99))
    def pull(self, choice: int) -> None:
        model_id = self._choose(choice)
        self._wait_for(_pull(self._store, model_id))
        self._is_here[model_id] = True

    @rule(choice=st.integers(min_value=0, max_value=99))
    def leave_pull(self, choice: int) -> None:
        model_id = self._choose(choice)
        seen = self._wait_for(_pull(self._store, model_id, leave_at=1))
        self._is_here[model_id] = isinstance(seen[-1], PullFinished)

    @rule(choice=st.integers(min_value=0, max_value=99))
    def delete(self, choice: int) -> None:
        model_id = self._choose(choice)
        if self._is_here[model_id]:
            self._wait_for(self._store.delete(model_id))
            self._is_here[model_id] = False

    @invariant()
    def agrees(self) -> None:
        for model_id, is_here in self._is_here.items():
            expected = ModelState.DOWNLOADED if is_here else ModelState.AVAILABLE
            assert self._wait_for(self._store.describe(model_id)).state is expected
            assert (self._wait_for(_find(self._store, model_id)) is not None) == is_here

    def _choose(self, choice: int) -> ModelId:
        return self._models[choice % len(self._models)]


async def _pull(store: ModelStore, model_id: ModelId, *, leave_at: int | None = None) -> Sequence[PullEvent]:
    """Pulls to the end, or leaves when this many events have told of progress that is not the whole."""
    seen, partial = [], 0
    async with store.pull(model_id) as events:
        async for event in events:
            seen.append(event)
            partial += isinstance(event, PullProgress) and event.completed_bytes < event.total_bytes
            if partial == leave_at:
                break
    return seen


async def _find(store: ModelStore, model_id: ModelId) -> ModelFiles | None:
    try:
        return await store.locate(model_id)
    except CortexError:
        return None


async def _make_absent(store: ModelStore, model_id: ModelId) -> None:
    if await _find(store, model_id) is not None:
        await store.delete(model_id)


def _completed_bytes(events: Sequence[PullEvent]) -> list[int]:
    return [event.completed_bytes for event in events if isinstance(event, PullProgress)]
