"""Whatever models, tools, people and processes do, a run ends once, within its budgets, and does nothing unasked."""

import asyncio
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_domain.agent_run_fold import after, begin, fold
from tests.domain.use_cases.agent_chaos import FINAL, Chaos, as_text, require_sound
from tests.reliability.scale import SCALE

RUNS = SCALE.agent_runs


def test_thousands_of_runs_end_once_and_within_their_budgets() -> None:
    outcomes: Counter[str] = Counter()
    processes = 0
    for seed in range(RUNS):
        chaos = Chaos(Random(seed))
        outcomes[asyncio.run(_ended(chaos))] += 1
        processes += chaos.processes
    assert outcomes.keys() == {status.value for status in FINAL}
    assert processes > RUNS


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_beginning_of_a_log_adds_up_and_goes_on_as_the_whole(seed: int) -> None:
    async def logs() -> None:
        chaos = Chaos(Random(seed))
        await chaos.run()
        for log in await chaos.logs():
            state = begin(log[0])
            for place, record in enumerate(log[1:], start=1):
                state = after(state, record)
                assert state == fold(log[: place + 1])
                assert state.status.is_final == (place == len(log) - 1 and state.finished is not None)

    asyncio.run(logs())


async def _ended(chaos: Chaos) -> str:
    state = await chaos.run()
    for log in await chaos.logs():
        try:
            require_sound(log, chaos.made)
        except AssertionError as error:
            raise AssertionError(as_text(log)) from error
    return state.status.value
