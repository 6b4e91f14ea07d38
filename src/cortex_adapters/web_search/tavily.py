"""Searches by Tavily (https://docs.tavily.com/documentation/api-reference/endpoint/search)."""

from collections.abc import Mapping, Sequence
from typing import Final

from httpx2 import AsyncClient

from cortex_adapters.web_search.result_reading import NotResultsError, ResultFields, read_results
from cortex_adapters.web_search.search_service import SearchService
from cortex_domain.ports import WebSearcher
from cortex_domain.search_hits import usable_hits
from cortex_domain.web_content import SearchHit, SearchQuery

BASE_URL: Final = "https://api.tavily.com"

_FIELDS: Final = ResultFields(snippets=("content",), published="published_date")


class TavilyWebSearcher(WebSearcher):
    """Asks with a key.

    Args:
        client: Sends requests.
        key: The API key.
        base_url: Where the service is.
    """

    def __init__(self, *, client: AsyncClient, key: str, base_url: str = BASE_URL) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._url = f"{base_url}/search"
        self._service = SearchService("tavily", client=client)

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches at the basic depth, which costs one credit."""
        body = {"query": query.text, "max_results": query.count, "search_depth": "basic"}
        answer = await self._service.ask(
            self._client.build_request("POST", self._url, json=body, headers=self._headers)
        )
        results = answer.get("results") if isinstance(answer, Mapping) else None
        try:
            return usable_hits(read_results(results, _FIELDS), count=query.count)
        except NotResultsError as exc:
            raise self._service.bad_answer() from exc
