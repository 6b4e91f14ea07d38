"""One service after the other is asked; what fails is left alone; what was found is remembered."""

import pytest

from cortex_adapters.combined import CachedPageFetcher, CachedWebSearcher, CombinedWebSearcher
from cortex_adapters.combined.circuit_breaker import FAILURES_TO_OPEN, LONGEST_REST_S, REST_S
from cortex_adapters.combined.expiring_cache import ExpiringCache
from cortex_adapters.fake import FakeClock, FakePageFetcher, FakeWebSearcher
from cortex_domain.errors import PageFetchError, WebFailure, WebSearchError
from cortex_domain.web_content import FetchedPage, SearchHit, SearchQuery

QUERY = SearchQuery(text="anything")
FIRST = [SearchHit(title="first", url="https://first.example/")]
SECOND = [SearchHit(title="second", url="https://second.example/")]


def broken(*, retry_after_s: float | None = None, reason: WebFailure = WebFailure.TIMEOUT) -> WebSearchError:
    return WebSearchError("It is broken.", provider="first", reason=reason, retry_after_s=retry_after_s)


class Two:
    """Two services and the one that is made of them."""

    def __init__(self, first: WebSearchError | list[SearchHit], second: WebSearchError | list[SearchHit]) -> None:
        self.clock = FakeClock()
        self.first = FakeWebSearcher({QUERY.text: first})
        self.second = FakeWebSearcher({QUERY.text: second})
        self.both = CombinedWebSearcher({"first": self.first, "second": self.second}, clock=self.clock)

    async def title(self) -> str:
        (hit,) = await self.both.search(QUERY)
        return hit.title


async def test_the_first_that_works_is_asked_alone() -> None:
    two = Two(FIRST, SECOND)
    assert await two.title() == "first"
    assert two.second.searches == []


async def test_finding_nothing_is_an_answer() -> None:
    two = Two([], SECOND)
    assert list(await two.both.search(QUERY)) == []


async def test_the_next_is_asked_when_one_fails() -> None:
    two = Two(broken(), SECOND)
    assert await two.title() == "second"


async def test_what_fails_again_and_again_is_left_alone_and_tried_again_later() -> None:
    two = Two(broken(), SECOND)
    for _ in range(FAILURES_TO_OPEN + 5):
        assert await two.title() == "second"
    assert len(two.first.searches) == FAILURES_TO_OPEN
    await two.clock.advance(REST_S)
    for _ in range(5):
        assert await two.title() == "second"
    assert len(two.first.searches) == FAILURES_TO_OPEN + 1
    two.first.answer(QUERY.text, FIRST)
    await two.clock.advance(REST_S)
    for _ in range(5):
        assert await two.title() == "first"


async def test_failures_that_are_not_in_a_row_do_not_count() -> None:
    two = Two(FIRST, SECOND)
    for _ in range(2 * FAILURES_TO_OPEN):
        two.first.answer(QUERY.text, broken())
        assert await two.title() == "second"
        two.first.answer(QUERY.text, FIRST)
        assert await two.title() == "first"


@pytest.mark.parametrize(("asked_s", "left_alone_s"), [(5.0, 5.0), (600.0, 600.0), (1e9, LONGEST_REST_S)])
async def test_a_service_is_left_alone_for_as_long_as_it_asks(asked_s: float, left_alone_s: float) -> None:
    two = Two(broken(retry_after_s=asked_s, reason=WebFailure.RATE_LIMITED), SECOND)
    await two.title()
    two.first.answer(QUERY.text, FIRST)
    await two.clock.advance(left_alone_s - 1)
    assert await two.title() == "second"
    await two.clock.advance(1)
    assert await two.title() == "first"


async def test_when_none_works_the_error_tells_of_all() -> None:
    two = Two(broken(), broken(reason=WebFailure.KEY_REFUSED))
    with pytest.raises(WebSearchError) as caught:
        await two.both.search(QUERY)
    assert (caught.value.provider, caught.value.reason) == ("first, second", WebFailure.KEY_REFUSED)
    assert caught.value.retry_after_s is None
    assert caught.value.message.count("It is broken.") == 2


async def test_when_all_are_left_alone_the_error_says_until_when() -> None:
    two = Two(broken(retry_after_s=30), broken(retry_after_s=20))
    for _ in range(2):
        with pytest.raises(WebSearchError) as caught:
            await two.both.search(QUERY)
    assert (caught.value.reason, caught.value.retry_after_s) == (WebFailure.PAUSED, 20)
    assert len(two.first.searches) == 1


async def test_a_search_is_remembered_for_a_while() -> None:
    clock, inner = FakeClock(), FakeWebSearcher({QUERY.text: FIRST})
    cached = CachedWebSearcher(inner, clock=clock)
    for _ in range(3):
        assert list(await cached.search(QUERY)) == FIRST
    assert len(inner.searches) == 1
    await cached.search(SearchQuery(text=QUERY.text, count=1))
    assert len(inner.searches) == 2
    await clock.advance(300)
    await cached.search(QUERY)
    assert len(inner.searches) == 3


async def test_finding_nothing_is_remembered_and_failing_is_not() -> None:
    inner = FakeWebSearcher({"broken": broken()})
    cached = CachedWebSearcher(inner, clock=FakeClock())
    for _ in range(2):
        assert list(await cached.search(QUERY)) == []
        with pytest.raises(WebSearchError):
            await cached.search(SearchQuery(text="broken"))
    assert [query.text for query in inner.searches] == [QUERY.text, "broken", "broken"]


async def test_a_page_is_remembered_for_a_while() -> None:
    url = "https://a.example/"
    page = FetchedPage(url=url, final_url=url, text="text", media_type="text/plain")
    clock, inner = FakeClock(), FakePageFetcher({url: page})
    cached = CachedPageFetcher(inner, clock=clock)
    for _ in range(3):
        assert await cached.fetch(url) == page
        with pytest.raises(PageFetchError):
            await cached.fetch("https://b.example/")
    assert inner.fetches == [url] + ["https://b.example/"] * 3
    await clock.advance(300)
    await cached.fetch(url)
    assert inner.fetches.count(url) == 2


async def test_a_cache_keeps_to_its_size() -> None:
    cache: ExpiringCache[int, str] = ExpiringCache(clock=FakeClock(), keep_s=10, max_size=10, size_of=len)
    for key in range(5):
        cache.put(key, "four")
    assert [cache.get(key) for key in range(5)] == [None, None, None, "four", "four"]
    cache.put(4, "sevenxx")
    assert [cache.get(3), cache.get(4)] == [None, "sevenxx"]
    cache.put(5, "more than ten")
    assert [cache.get(4), cache.get(5)] == [None, None]
    cache.put(6, "ten ten te")
    assert cache.get(6) == "ten ten te"
