import asyncio

from cortex_adapters.fake import FakeClock


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(now_s=1000)
    assert (clock.now_s(), clock.monotonic_s()) == (1000, 0)
    await clock.sleep(0)
    await clock.advance(1.5)
    assert (clock.now_s(), clock.monotonic_s()) == (1001.5, 1.5)


async def test_sleepers_wake_in_order_and_see_their_own_time() -> None:
    clock = FakeClock()
    woken = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic_s()))

    sleeping = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2, 9)]
    await clock.advance(5)
    assert woken == [(1, 1), (2, 2), (3, 3)]
    await clock.advance(4)
    await asyncio.gather(*sleeping)
    assert woken[-1] == (9, 9)


async def test_one_that_sleeps_again_wakes_again() -> None:
    clock = FakeClock()
    ticks = []

    async def tick() -> None:
        for _ in range(3):
            await clock.sleep(1)
            ticks.append(clock.monotonic_s())

    ticking = asyncio.create_task(tick())
    await clock.advance(10)
    await ticking
    assert ticks == [1, 2, 3]


async def test_auto_advance_wakes_the_nearest_first() -> None:
    clock = FakeClock(auto_advance=True)
    woken = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    await asyncio.gather(*map(sleep, (3, 1, 2)))
    assert (woken, clock.monotonic_s()) == ([1, 2, 3], 3)


async def test_a_cancelled_sleeper_costs_no_time() -> None:
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await clock.advance(1)
    sleeping.cancel()
    await asyncio.wait([sleeping])
    await clock.advance(1)
    assert clock.monotonic_s() == 2
