"""The contract of `cortex_domain.ports.WebSearcher`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from cortex_contracts.checks import checks
from cortex_domain.errors import WebSearchError
from cortex_domain.ports import WebSearcher
from cortex_domain.web_content import SearchHit, SearchQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearcherHarness:
    """What the contract needs.

    Attributes:
        searcher: The adapter under test.
        offer: Makes the service, a local stand-in for it, find these hits for this text, each written in the way in
            which the service writes what is plain text here. What is not offered is not found.
        break_down: Makes the service fail whoever searches for this text.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    searcher: WebSearcher
    offer: Callable[[str, Sequence[SearchHit]], None]
    break_down: Callable[[str], None]
    patience_s: float = 60.0


@pytest.mark.asyncio
class WebSearcherContract:
    """Subclass this and define a fixture `harness` that returns a `WebSearcherHarness`."""

    @checks("web_searcher.finds_what_there_is")
    async def test_finds_what_there_is(self, harness: WebSearcherHarness) -> None:
        """Offers three pages and compares titles, addresses, snippets and their order."""
        offered = _hits("three", 3)
        harness.offer("three", offered)
        found = await harness.searcher.search(SearchQuery(text="three"))
        assert _told(found) == _told(offered)

    @checks("web_searcher.at_most_as_many")
    async def test_at_most_as_many(self, harness: WebSearcherHarness) -> None:
        """Offers more than is asked for, and asks for one, for some and for all."""
        harness.offer("many", _hits("many", 9))
        for count in (1, 4, 9):
            assert len(await harness.searcher.search(SearchQuery(text="many", count=count))) == count

    @checks("web_searcher.each_address_once")
    async def test_each_address_once(self, harness: WebSearcherHarness) -> None:
        """Offers the same address under several titles."""
        first, second = _hits("twice", 2)
        harness.offer("twice", [first, replace(first, title="Again"), second, replace(second, title="Again")])
        found = await harness.searcher.search(SearchQuery(text="twice"))
        assert [hit.url for hit in found] == [first.url, second.url]

    @checks("web_searcher.leads_to_pages")
    async def test_leads_to_pages(self, harness: WebSearcherHarness) -> None:
        """Offers addresses that no page has, between two that pages have."""
        first, last = _hits("pages", 2)
        addresses = ("javascript:alert(1)", "/only/a/path", "file:///etc/passwd", "https://", "ftp://a.example/")
        harness.offer("pages", [first, *(replace(first, url=url) for url in addresses), last])
        found = await harness.searcher.search(SearchQuery(text="pages", count=10))
        assert [hit.url for hit in found] == [first.url, last.url]

    @checks("web_searcher.text_is_plain")
    async def test_text_is_plain(self, harness: WebSearcherHarness) -> None:
        """Offers texts that speak of markup, and texts of many lines and scripts."""
        (hit,) = _hits("markup", 1)
        offered = replace(hit, title="When a < b && <b>c</b> > &amp;", snippet="one\n two\tthree — vier, fünf, 六")
        harness.offer("markup", [offered])
        (found,) = await harness.searcher.search(SearchQuery(text="markup"))
        assert found.title == offered.title
        assert found.snippet == "one two three — vier, fünf, 六"

    @checks("web_searcher.nothing_found")
    async def test_nothing_found(self, harness: WebSearcherHarness) -> None:
        """Searches for what nobody offered."""
        assert list(await harness.searcher.search(SearchQuery(text="nobody wrote of this"))) == []

    @checks("web_searcher.failure_raises")
    async def test_failure_raises(self, harness: WebSearcherHarness) -> None:
        """Searches while the service fails, and again for something else."""
        harness.offer("whole", _hits("whole", 1))
        harness.break_down("broken")
        with pytest.raises(WebSearchError) as caught:
            await harness.searcher.search(SearchQuery(text="broken"))
        assert caught.value.provider
        assert len(await harness.searcher.search(SearchQuery(text="whole"))) == 1

    @checks("web_searcher.side_by_side")
    async def test_side_by_side(self, harness: WebSearcherHarness) -> None:
        """Searches for several texts at once."""
        offered = {text: _hits(text, 2) for text in ("red", "green", "blue")}
        for text, hits in offered.items():
            harness.offer(text, hits)
        searches = (harness.searcher.search(SearchQuery(text=text)) for text in offered)
        for found, hits in zip(await asyncio.gather(*searches), offered.values(), strict=True):
            assert _told(found) == _told(hits)


def _hits(text: str, count: int) -> Sequence[SearchHit]:
    return tuple(
        SearchHit(
            title=f"Title {number} of {text}",
            url=f"https://{text}.example/{number}?a=1&b=2",
            snippet=f"What page {number} says of {text}.",
        )
        for number in range(count)
    )


def _told(hits: Sequence[SearchHit]) -> Sequence[tuple[str, str, str]]:
    return [(hit.title, hit.url, hit.snippet) for hit in hits]
