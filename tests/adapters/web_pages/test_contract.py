from dataclasses import replace

import pytest
from pytest_httpserver import HTTPServer

from cortex_adapters.combined import CachedPageFetcher
from cortex_adapters.fake import FakeClock
from cortex_adapters.web_pages import AllowedHost, FetchLimits, GuardedNetwork, HttpPageFetcher
from cortex_contracts.page_fetcher import PageFetcherContract, PageFetcherHarness
from tests.adapters.web_pages.web_server import CountingListener, DocumentServer


class TestHttpPageFetcher(PageFetcherContract):
    @pytest.fixture
    def harness(
        self, web_server: HTTPServer, documents: DocumentServer, listener: CountingListener
    ) -> PageFetcherHarness:
        return _harness(web_server, documents, listener)


class TestCachedHttpPageFetcher(TestHttpPageFetcher):
    """A page that is remembered is as good as one that is fetched."""

    @pytest.fixture
    def harness(
        self, web_server: HTTPServer, documents: DocumentServer, listener: CountingListener
    ) -> PageFetcherHarness:
        fetched = _harness(web_server, documents, listener)
        return replace(fetched, fetcher=CachedPageFetcher(fetched.fetcher, clock=FakeClock()))


def _harness(web_server: HTTPServer, documents: DocumentServer, listener: CountingListener) -> PageFetcherHarness:
    network = GuardedNetwork(
        allowed=[AllowedHost(name="127.0.0.1", port=web_server.port)],
        ports=[80, 443, listener.port],  # so that the port refuses nothing of what the address must
    )
    return PageFetcherHarness(
        fetcher=HttpPageFetcher(network=network, limits=FetchLimits(max_bytes=100_000)),
        serve=documents.serve,
        max_bytes=100_000,
        listening_port=listener.port,
        reached=listener.reached,
    )
