"""Every search service, and what is made of several, keeps the contract of its port."""

from collections.abc import Mapping, Sequence

import pytest
from httpx2 import AsyncClient

from cortex_adapters.combined import CachedWebSearcher, CombinedWebSearcher
from cortex_adapters.fake import FakeClock
from cortex_adapters.web_search import DdgsWebSearcher
from cortex_contracts.web_searcher import WebSearcherContract, WebSearcherHarness
from cortex_domain.web_content import SearchHit, SearchQuery
from tests.adapters.web_search.search_services import SearchServiceStandIn


class TestServices(WebSearcherContract):
    @pytest.fixture
    def harness(self, service: SearchServiceStandIn, client: AsyncClient) -> WebSearcherHarness:
        return WebSearcherHarness(searcher=service.searcher(client), offer=service.offer, break_down=service.break_down)


class TestCombinedAndCached(WebSearcherContract):
    @pytest.fixture
    def harness(self, service: SearchServiceStandIn, client: AsyncClient) -> WebSearcherHarness:
        clock = FakeClock()
        combined = CombinedWebSearcher({"one": service.searcher(client)}, clock=clock)
        return WebSearcherHarness(
            searcher=CachedWebSearcher(combined, clock=clock), offer=service.offer, break_down=service.break_down
        )


class FakeEngines:
    """What ddgs finds."""

    def __init__(self) -> None:
        self._found: dict[str, Sequence[Mapping[str, str]]] = {}
        self._broken: set[str] = set()

    def offer(self, text: str, hits: Sequence[SearchHit]) -> None:
        self._found[text] = [{"title": hit.title, "href": hit.url, "body": hit.snippet} for hit in hits]

    def break_down(self, text: str) -> None:
        self._broken.add(text)

    def __call__(self, query: SearchQuery) -> Sequence[Mapping[str, str]]:
        if query.text in self._broken:
            raise RuntimeError("error sending request for url")
        if query.text not in self._found:
            raise RuntimeError("No results found.")
        return self._found[query.text][: query.count + 3]


class TestDdgs(WebSearcherContract):
    @pytest.fixture
    def harness(self) -> WebSearcherHarness:
        engines = FakeEngines()
        return WebSearcherHarness(
            searcher=DdgsWebSearcher(search=engines), offer=engines.offer, break_down=engines.break_down
        )
