"""Who is next: by priority, then by what an owner has already, then by age."""

from collections import Counter
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.fair_queue import FairQueue, Shares, shares_of
from cortex_adapters.mlx.jobs import Job
from cortex_domain.generation import Priority
from tests.adapters.mlx.waiting_jobs import BACKGROUND, job


def _queue(*jobs: Job) -> FairQueue[Job]:
    queue: FairQueue[Job] = FairQueue()
    for waiting in jobs:
        queue.add(waiting, waiting)
    return queue


def _served(queue: FairQueue[Job], shares: Shares | None = None) -> Iterator[int]:
    """Serves one after the other, each being over before the next one comes, so that no share grows."""
    while (following := queue.first(Counter() if shares is None else shares)) is not None:
        queue.take(following.id)
        yield following.id


def _kept(queue: FairQueue[Job], jobs: Iterable[Job]) -> list[int]:
    """Serves them all side by side with `jobs`, so that shares grow."""
    running = list(jobs)
    order: list[int] = []
    while (following := queue.first(shares_of(running))) is not None:
        queue.take(following.id)
        running.append(following)
        order.append(following.id)
    return order


def test_one_owner_is_served_in_the_order_in_which_it_came() -> None:
    assert list(_served(_queue(job(1), job(2), job(3)))) == [1, 2, 3]


def test_the_interactive_come_before_the_background() -> None:
    assert list(_served(_queue(job(1, priority=BACKGROUND), job(2), job(3, "b", BACKGROUND), job(4)))) == [2, 4, 1, 3]


def test_owners_take_turns() -> None:
    queue = _queue(*(job(number, "many") for number in range(1, 5)), job(5, "one"), job(6, "other"), job(7, "one"))
    assert list(_served(queue)) == [1, 5, 6, 2, 7, 3, 4]


def test_who_has_the_least_is_next() -> None:
    queue = _queue(job(10, "a"), job(11, "a"), job(12, "b"), job(13, "b"), job(14, "c"))
    assert _kept(queue, [job(1, "a"), job(2, "a"), job(3, "b")]) == [14, 12, 10, 13, 11]


def test_shares_of_one_priority_do_not_count_in_the_other() -> None:
    queue = _queue(job(10, "a"), job(11, "b"))
    assert queue.first(shares_of([job(1, "a", BACKGROUND), job(2, "b"), job(3, "b")])) == job(10, "a")


def test_the_order_of_priorities_can_be_turned() -> None:
    queue = _queue(job(1), job(2, priority=BACKGROUND))
    assert queue.first(Counter(), order=(BACKGROUND, Priority.INTERACTIVE)) == job(2, priority=BACKGROUND)


def test_who_may_not_go_is_passed_over_and_waits_on() -> None:
    queue = _queue(job(1), job(2), job(3))
    assert queue.first(Counter(), may_go=lambda waiting: waiting.id != 1) == job(2)
    assert queue.first(Counter(), may_go=lambda _: False) is None
    assert list(_served(queue)) == [1, 2, 3]


def test_who_comes_back_has_its_old_place() -> None:
    queue = _queue(job(2), job(4))
    queue.add(job(3), job(3))
    queue.add(job(1), job(1))
    assert list(_served(queue)) == [1, 2, 3, 4]


def test_dropping_costs_an_owner_no_turn() -> None:
    queue = _queue(job(1, "a"), job(2, "a"), job(3, "b"))
    assert queue.drop(job(1).id)
    assert not queue.drop(job(1).id)
    assert list(_served(queue)) == [2, 3]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Priority), st.booleans()), max_size=30))
def test_nothing_is_lost_and_nothing_is_kept(waiting: list[tuple[str, Priority, bool]]) -> None:
    jobs = [job(number, owner, priority) for number, (owner, priority, _) in enumerate(waiting)]
    queue = _queue(*jobs)
    assert len(queue) == len(jobs)
    dropped = {jobs[number].id for number, (_, _, is_dropped) in enumerate(waiting) if is_dropped}
    assert all(queue.drop(job_id) for job_id in dropped)
    assert {waiting.id for waiting in queue.items} | dropped == {waiting.id for waiting in jobs}
    assert sorted(_served(queue)) == sorted({waiting.id for waiting in jobs} - dropped)
    assert not queue.items
    assert not queue


def test_all_can_be_forgotten() -> None:
    queue = _queue(job(1), job(2, priority=BACKGROUND))
    queue.clear()
    assert not queue
    assert queue.first(Counter()) is None
