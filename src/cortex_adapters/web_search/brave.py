"""Searches by Brave (https://api-dashboard.search.brave.com/documentation/services/web-search)."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from httpx2 import AsyncClient

from cortex_adapters.web_search.result_reading import NotResultsError, ResultFields, read_results
from cortex_adapters.web_search.search_service import SearchService
from cortex_domain.ports import WebSearcher
from cortex_domain.search_hits import usable_hits
from cortex_domain.web_content import SearchHit, SearchQuery

BASE_URL: Final = "https://api.search.brave.com"

_FIELDS: Final = ResultFields(snippets=("description",), published="page_age")
_NOTHING: Final[Mapping[str, object]] = {"results": []}
_TAG: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


class BraveWebSearcher(WebSearcher):
    """Asks with a key.

    Args:
        client: Sends requests.
        key: The subscription token.
        base_url: Where the service is.
    """

    def __init__(self, *, client: AsyncClient, key: str, base_url: str = BASE_URL) -> None:
        self._client = client
        self._headers = {"X-Subscription-Token": key, "Accept": "application/json"}
        self._url = f"{base_url}/res/v1/web/search"
        self._service = SearchService("brave", client=client)

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches the web, without news, videos and places."""
        parameters: dict[str, str | int] = {
            "q": query.text,
            "count": query.count,
            "text_decorations": "false",
            "result_filter": "web",
        }
        request = self._client.build_request("GET", self._url, params=parameters, headers=self._headers)
        answer = await self._service.ask(request)
        try:
            return usable_hits(map(_plain, _hits(answer)), count=query.count)
        except NotResultsError as exc:
            raise self._service.bad_answer() from exc


def _hits(answer: object) -> Sequence[SearchHit]:
    """Reads the results of the web; an answer to a search without that part has found nothing."""
    if not isinstance(answer, Mapping):
        raise NotResultsError
    web = answer.get("web", _NOTHING if answer.get("type") == "search" else None)
    if not isinstance(web, Mapping):
        raise NotResultsError
    return read_results(web.get("results"), _FIELDS)


def _plain(hit: SearchHit) -> SearchHit:
    """Undoes that Brave writes HTML."""
    title, snippet = (html.unescape(_TAG.sub("", text)) for text in (hit.title, hit.snippet))
    return replace(hit, title=title, snippet=snippet)
