"""Searches by an instance of SearXNG (https://docs.searxng.org/dev/search_api.html)."""

from collections.abc import Mapping, Sequence
from typing import Final

from httpx2 import AsyncClient

from cortex_adapters.web_search.result_reading import NotResultsError, ResultFields, read_results
from cortex_adapters.web_search.search_service import SearchService
from cortex_domain.ports import WebSearcher
from cortex_domain.search_hits import usable_hits
from cortex_domain.web_content import SearchHit, SearchQuery

_FIELDS: Final = ResultFields(snippets=("content",), published="publishedDate")
_ADVICE: Final = "Add json to search.formats in the instance's settings.yml"


class SearxngWebSearcher(WebSearcher):
    """Asks an instance that whoever runs Cortex chose; it may be on this machine.

    Args:
        client: Sends requests.
        base_url: Where the instance is, for example `http://127.0.0.1:8888`.
    """

    def __init__(self, *, client: AsyncClient, base_url: str) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/search"
        self._service = SearchService("searxng", client=client, refusal_advice=_ADVICE)

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches the instance's general engines."""
        parameters = {"q": query.text, "format": "json"}
        answer = await self._service.ask(self._client.build_request("GET", self._url, params=parameters))
        try:
            return usable_hits(_hits(answer), count=query.count)
        except NotResultsError as exc:
            raise self._service.bad_answer() from exc


def _hits(answer: object) -> Sequence[SearchHit]:
    """Reads the results; none at all, because the engines behind it do not answer, is a failure."""
    if not isinstance(answer, Mapping):
        raise NotResultsError
    hits = read_results(answer.get("results"), _FIELDS)
    if not hits and answer.get("unresponsive_engines"):
        raise NotResultsError
    return hits
