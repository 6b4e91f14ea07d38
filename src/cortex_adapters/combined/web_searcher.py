"""Several search services as one, in the order of preference."""

import logging
from collections.abc import Mapping, Sequence

from cortex_adapters.combined.circuit_breaker import CircuitBreaker
from cortex_domain.errors import WebFailure, WebSearchError
from cortex_domain.ports import Clock, WebSearcher
from cortex_domain.web_content import SearchHit, SearchQuery

logger = logging.getLogger(__name__)


class CombinedWebSearcher(WebSearcher):
    """Asks the first service that works, and leaves one alone for a while that does not.

    Args:
        searchers: The services by their names, the preferred first; at least one.
        clock: Tells how long one was left alone.
    """

    def __init__(self, searchers: Mapping[str, WebSearcher], *, clock: Clock) -> None:
        self._searchers = dict(searchers)
        self._breakers = {name: CircuitBreaker(clock=clock) for name in searchers}

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches by one service; finding nothing is an answer like any other."""
        failures: list[WebSearchError] = []
        for name, searcher in self._searchers.items():
            if not self._breakers[name].begin():
                continue
            try:
                return await self._search(name, searcher, query)
            except WebSearchError as error:
                logger.warning("web search by %s failed: %s", name, error.message)
                failures.append(error)
        raise self._none_works(failures)

    async def _search(self, name: str, searcher: WebSearcher, query: SearchQuery) -> Sequence[SearchHit]:
        try:
            hits = await searcher.search(query)
        except WebSearchError as error:
            self._breakers[name].failed(error.retry_after_s)
            raise
        self._breakers[name].succeeded()
        return hits

    def _none_works(self, failures: Sequence[WebSearchError]) -> WebSearchError:
        reason = failures[-1].reason if failures else WebFailure.PAUSED
        told = " ".join(error.message for error in failures) or "All search services failed and are left alone."
        return WebSearchError(
            f"The web cannot be searched now. {told}",
            provider=", ".join(self._searchers),
            reason=reason,
            retry_after_s=min(breaker.rest_left_s for breaker in self._breakers.values()) or None,
        )
