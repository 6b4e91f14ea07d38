"""Searches by ddgs, which reads the result pages of public search engines.

It needs no key and gives no promise: engines notice that no person reads, and refuse. It is not installed with Cortex
unless the extra `ddgs` is asked for.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, Final

from cortex_domain.errors import WebFailure, WebSearchError
from cortex_domain.ports import WebSearcher
from cortex_domain.search_hits import usable_hits
from cortex_domain.web_content import SearchHit, SearchQuery

_NAME: Final = "ddgs"
_TIMEOUT_S: Final = 8
_SEARCHING: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="ddgs")
_NOTHING: Final = "No results found"

Search = Callable[[SearchQuery], Sequence[Mapping[str, Any]]]
"""Finds results that hold `title`, `href` and `body`; may wait."""


def is_ddgs_installed() -> bool:
    """Tells whether there is ddgs to search by."""
    return find_spec("ddgs") is not None


def search_by_ddgs(query: SearchQuery, /) -> Sequence[Mapping[str, Any]]:
    """Asks engines of ddgs's choice.

    Raises:
        ModuleNotFoundError: ddgs is not installed.
    """
    from ddgs import DDGS  # noqa: PLC0415 - may be absent, and starts threads

    found: Sequence[Mapping[str, Any]] = DDGS(timeout=_TIMEOUT_S).text(query.text, max_results=query.count)
    return found


class DdgsWebSearcher(WebSearcher):
    """Asks in a thread, which a search that is given up leaves to its own time limits.

    Args:
        search: Does the search.
    """

    def __init__(self, *, search: Search = search_by_ddgs) -> None:
        self._search = search

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches whatever engines answer."""
        try:
            results = await asyncio.get_running_loop().run_in_executor(_SEARCHING, self._search, query)
        except Exception as exc:
            if _NOTHING in str(exc):
                return ()
            raise _translated(exc) from exc
        return usable_hits(map(_hit, results), count=query.count)


def _hit(result: Mapping[str, Any]) -> SearchHit:
    title, url, snippet = (str(result.get(name) or "") for name in ("title", "href", "body"))
    return SearchHit(title=title, url=url, snippet=snippet)


def _translated(error: Exception) -> WebSearchError:
    """Tells by the names of ddgs's exceptions, because it may be absent."""
    reasons = {"RatelimitException": WebFailure.RATE_LIMITED, "TimeoutException": WebFailure.TIMEOUT}
    reason = reasons.get(type(error).__name__, WebFailure.UNREACHABLE)
    return WebSearchError("No search engine answers ddgs for now.", provider=_NAME, reason=reason)
