"""Who gets a row and who gives one up: short prompts overtake, owners share, the background waits but never starves."""

from collections.abc import Sequence

import pytest

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.fair_queue import FairQueue
from cortex_adapters.mlx.row_admission import next_in, who_makes_room
from cortex_domain.generation import Priority
from tests.adapters.mlx.waiting_jobs import BACKGROUND, active

LONG, SHORT = 1000, 10
LANES = 4


def _next(waiting: Sequence[ActiveJob], running: Sequence[ActiveJob], *, has_free_row: bool = True) -> int | None:
    queue: FairQueue[ActiveJob] = FairQueue()
    for newcomer in waiting:
        queue.add(newcomer.job, newcomer)
    chosen = next_in(
        queue,
        running,
        has_free_row=has_free_row,
        lanes=LANES,
        is_long=lambda active: active.unread_tokens >= LONG,
    )
    return None if chosen is None else chosen.job.id


def _reading(*tokens: int, owner: str = "") -> list[ActiveJob]:
    return [active(number, owner, unread_tokens=unread) for number, unread in enumerate(tokens, start=1)]


@pytest.mark.parametrize("tokens", [LONG, SHORT])
def test_whoever_comes_first_goes_first(tokens: int) -> None:
    assert _next([active(9, unread_tokens=tokens)], []) == 9


def test_long_prompts_leave_a_lane_free() -> None:
    assert _next([active(9, unread_tokens=LONG)], _reading(LONG, LONG)) == 9
    assert _next([active(9, unread_tokens=LONG)], _reading(LONG, LONG, LONG)) is None


def test_a_short_prompt_overtakes_the_long_ones_that_wait() -> None:
    waiting = [active(8, unread_tokens=LONG), active(9, unread_tokens=SHORT)]
    assert _next(waiting, _reading(LONG, LONG, LONG)) == 9


def test_a_short_prompt_has_a_lane_even_when_long_ones_took_all_while_nobody_waited() -> None:
    reading = _reading(*[LONG] * 3 * LANES)
    assert _next([active(99, unread_tokens=SHORT)], reading) == 99
    short = active(98, unread_tokens=SHORT)
    assert _next([active(99, unread_tokens=SHORT)], [*reading, short]) is None


def test_short_prompts_fill_the_lanes() -> None:
    assert _next([active(9, unread_tokens=SHORT)], _reading(SHORT, SHORT, SHORT)) == 9
    assert _next([active(9, unread_tokens=SHORT)], _reading(SHORT, SHORT, SHORT, SHORT)) is None


def test_an_owner_who_reads_nothing_has_a_lane_beyond_the_others() -> None:
    reading = _reading(LONG, LONG, LONG, SHORT, owner="many")
    assert _next([active(8, "many", unread_tokens=LONG), active(9, "one", unread_tokens=LONG)], reading) == 9
    many = _reading(*[LONG] * 2 * LANES, owner="many")
    assert _next([active(99, "one", unread_tokens=LONG)], many) is None


def test_rows_that_decode_take_no_lane() -> None:
    assert _next([active(99, unread_tokens=LONG)], _reading(*[0] * 60)) == 99


def test_a_row_that_is_free_is_the_backgrounds_when_it_has_none() -> None:
    waiting = [active(8, priority=BACKGROUND, unread_tokens=SHORT), active(9, unread_tokens=SHORT)]
    running = [active(1)]
    assert _next(waiting, running) == 8
    assert _next(waiting, running, has_free_row=False) == 9
    assert _next(waiting, [*running, active(2, priority=BACKGROUND)]) == 9
    assert _next(waiting, []) == 9


def test_background_makes_room_for_the_interactive_but_for_its_oldest() -> None:
    running = [active(1, priority=BACKGROUND), active(2), active(3, priority=BACKGROUND)]
    assert who_makes_room(active(9, "other"), running) is running[2]
    assert who_makes_room(active(9, "other"), running[:2]) is None


def test_of_the_background_the_youngest_of_the_largest_owner_goes() -> None:
    owners = ["a", "b", "b", "b", "a"]
    running = [active(number, owner, BACKGROUND) for number, owner in enumerate(owners, start=1)]
    assert who_makes_room(active(9), running) is running[3]


@pytest.mark.parametrize("priority", Priority)
def test_an_owner_with_several_rows_makes_room_for_one_that_has_none(priority: Priority) -> None:
    running = [active(number, owner, priority) for number, owner in enumerate("aabbb", start=1)]
    assert who_makes_room(active(9, "c", priority), running) is running[4]
    assert who_makes_room(active(9, "a", priority), running) is None
    assert who_makes_room(active(9, "c", priority), [running[0], running[2]]) is None


def test_background_takes_no_row_of_the_interactive() -> None:
    assert who_makes_room(active(9, "b", BACKGROUND), [active(1, "a"), active(2, "a")]) is None
