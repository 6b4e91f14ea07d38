from cortex_adapters.fake import FakeClock
from cortex_domain.language_models import LoadedModel, ModelDescriptor, ModelId, ModelState
from cortex_domain.model_residency import ModelResidency

FIRST = LoadedModel(id=ModelId("org/first"), memory_bytes=1, context_window=1)
SECOND = LoadedModel(id=ModelId("org/second"), memory_bytes=1, context_window=1)
BOTH = (FIRST, SECOND)


async def test_idle_models_come_in_the_order_of_their_last_use() -> None:
    clock = FakeClock()
    residency = ModelResidency(clock=clock)
    for model in (FIRST, SECOND, FIRST):
        await clock.advance(1)
        residency.keep(model.id)
    assert residency.idle(BOTH) == [SECOND, FIRST]
    await clock.advance(1)
    with residency.using(SECOND.id):
        assert residency.idle(BOTH) == [FIRST]
    assert residency.idle(BOTH) == [FIRST, SECOND]


async def test_a_model_counts_as_used_until_its_last_request_is_left() -> None:
    clock = FakeClock()
    residency = ModelResidency(clock=clock, keep_alive_s=10)
    with residency.using(FIRST.id):
        with residency.using(FIRST.id):
            assert residency.describe(FIRST.id).active_requests == 2
            await clock.advance(60)
        assert residency.expired([FIRST]) == []
        assert residency.describe(FIRST.id).expires_s is None
    await clock.advance(9)
    assert residency.expired([FIRST]) == []
    await clock.advance(1)
    assert residency.expired([FIRST]) == [FIRST]


async def test_what_is_said_last_of_a_model_holds() -> None:
    clock = FakeClock(now_s=1000)
    residency = ModelResidency(clock=clock)
    assert residency.describe(FIRST.id).keep_alive_s is None
    with residency.using(FIRST.id, keep_alive_s=30):
        pass
    residency.keep(FIRST.id)
    await clock.advance(5.5)
    described = residency.describe(FIRST.id)
    assert (described.keep_alive_s, described.last_used_s, described.expires_s) == (30, 1000, 1030)
    residency.keep(FIRST.id, keep_alive_s=0)
    assert residency.expired(BOTH) == [FIRST]


async def test_a_pinned_model_neither_expires_nor_makes_room() -> None:
    clock = FakeClock()
    residency = ModelResidency(clock=clock, keep_alive_s=1)
    residency.keep(FIRST.id, pinned=True)
    residency.keep(FIRST.id, keep_alive_s=2)
    await clock.advance(100)
    assert residency.idle([FIRST]) == residency.expired([FIRST]) == []
    assert residency.describe(FIRST.id).pinned
    assert residency.describe(FIRST.id).expires_s is None
    residency.keep(FIRST.id, pinned=False)
    assert residency.idle([FIRST]) == [FIRST]


def test_models_are_pinned_by_id_or_alias_whenever_they_are_loaded() -> None:
    residency = ModelResidency(clock=FakeClock(), pinned=["pet"])
    residency.settle(ModelDescriptor(id=FIRST.id, aliases=("pet",), state=ModelState.DOWNLOADED))
    residency.settle(ModelDescriptor(id=SECOND.id, aliases=("stray",), state=ModelState.DOWNLOADED))
    assert residency.idle(BOTH) == [SECOND]
    residency.reset(FIRST.id)
    assert not residency.describe(FIRST.id).pinned
    residency.keep(SECOND.id, pinned=True)
    residency.settle(ModelDescriptor(id=SECOND.id, state=ModelState.DOWNLOADED))
    assert residency.describe(SECOND.id).pinned


def test_an_unload_forgets_what_was_said_but_not_who_waits() -> None:
    residency = ModelResidency(clock=FakeClock(), keep_alive_s=7)
    with residency.using(FIRST.id, keep_alive_s=100):
        residency.reset(FIRST.id)
        assert residency.describe(FIRST.id).keep_alive_s == 7
        assert residency.idle([FIRST]) == []
