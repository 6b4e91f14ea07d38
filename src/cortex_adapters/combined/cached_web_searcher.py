"""Remembers for a while what a search found."""

from collections.abc import Sequence
from typing import Final

from cortex_adapters.combined.expiring_cache import ExpiringCache
from cortex_domain.ports import Clock, WebSearcher
from cortex_domain.web_content import SearchHit, SearchQuery

KEEP_S: Final = 300.0
MAX_SEARCHES: Final = 200


class CachedWebSearcher(WebSearcher):
    """Asks again only when the answer is old. Models search for the same thing twice, and each search may cost money.

    Args:
        searcher: Is asked.
        clock: Tells how old an answer is.
    """

    def __init__(self, searcher: WebSearcher, *, clock: Clock) -> None:
        self._searcher = searcher
        self._found: ExpiringCache[SearchQuery, Sequence[SearchHit]] = ExpiringCache(
            clock=clock, keep_s=KEEP_S, max_size=MAX_SEARCHES
        )

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Remembers, or searches; a failure is not remembered."""
        found = self._found.get(query)
        if found is None:
            found = await self._searcher.search(query)
            self._found.put(query, found)
        return found
