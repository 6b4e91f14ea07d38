"""Remembers for a while what a page says."""

from typing import Final

from cortex_adapters.combined.expiring_cache import ExpiringCache
from cortex_domain.ports import Clock, PageFetcher
from cortex_domain.web_content import FetchedPage

KEEP_S: Final = 300.0
MAX_CHARACTERS: Final = 16_000_000


class CachedPageFetcher(PageFetcher):
    """Fetches a page once for all its parts: who reads on reads the same page.

    Args:
        fetcher: Is asked.
        clock: Tells how old a page is.
    """

    def __init__(self, fetcher: PageFetcher, *, clock: Clock) -> None:
        self._fetcher = fetcher
        self._pages: ExpiringCache[str, FetchedPage] = ExpiringCache(
            clock=clock, keep_s=KEEP_S, max_size=MAX_CHARACTERS, size_of=lambda page: len(page.text) + 1000
        )

    async def fetch(self, url: str, /) -> FetchedPage:
        """Remembers, or fetches; a failure is not remembered."""
        page = self._pages.get(url)
        if page is None:
            page = await self._fetcher.fetch(url)
            self._pages.put(url, page)
        return page
