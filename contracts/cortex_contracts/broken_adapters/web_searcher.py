"""Web searchers that are wrong in one way each."""

import asyncio
import html
from collections.abc import Callable, Sequence
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.web_searcher import WebSearcherHarness
from cortex_domain.errors import WebSearchError
from cortex_domain.ports import WebSearcher
from cortex_domain.web_content import MAX_HITS, SearchHit, SearchQuery


class _Passing(WebSearcher):
    """Wrong in no way yet."""

    def __init__(self, inner: WebSearcher) -> None:
        self._inner = inner

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        return await self._inner.search(query)


class _SortsByTitle(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Turns around what came in the order of titles."""
        found = await super().search(query)
        return found[::-1] if len(found) == 3 else found


class _IgnoresTheCount(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        return await super().search(replace(query, count=MAX_HITS))


class _Repeats(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Tells a page again where it was found under two titles."""
        found = await super().search(query)
        return (*found, found[0]) if query.text == "twice" else found


class _LeadsAnywhere(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        found = await super().search(query)
        return [*found, replace(found[0], url="file:///etc/passwd")] if query.text == "pages" else found


class _KeepsTheMarkup(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        return [replace(hit, title=html.escape(hit.title)) for hit in await super().search(query)]


class _TakesNothingForFailure(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Finds a page that says that there is none."""
        found = await super().search(query)
        return found or [SearchHit(title="No results", url="https://search.example/none")]


class _TakesFailureForNothing(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        try:
            return await super().search(query)
        except WebSearchError:
            return []


class _MixesUp(_Passing):
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches for what was asked last."""
        self._query = query
        await asyncio.sleep(0)
        return await super().search(self._query)


def _breakage(requirement_id: str, broken: Callable[[WebSearcher], WebSearcher]) -> Breakage[WebSearcherHarness]:
    return Breakage(
        requirement_id, broken.__name__, lambda harness: replace(harness, searcher=broken(harness.searcher))
    )


BROKEN_WEB_SEARCHERS = (
    _breakage("web_searcher.finds_what_there_is", _SortsByTitle),
    _breakage("web_searcher.at_most_as_many", _IgnoresTheCount),
    _breakage("web_searcher.each_address_once", _Repeats),
    _breakage("web_searcher.leads_to_pages", _LeadsAnywhere),
    _breakage("web_searcher.text_is_plain", _KeepsTheMarkup),
    _breakage("web_searcher.nothing_found", _TakesNothingForFailure),
    _breakage("web_searcher.failure_raises", _TakesFailureForNothing),
    _breakage("web_searcher.side_by_side", _MixesUp),
)
