"""Tools that search the web and read its pages. What they return is what strangers wrote."""

from typing import Annotated, Any, Final

from pydantic import Field

from cortex_adapters.python_functions import FunctionTool, tool
from cortex_domain.errors import InvalidRequestError, InvalidToolArgumentsError, ToolFailedError
from cortex_domain.legible_text import legible
from cortex_domain.ports import PageFetcher, WebSearcher
from cortex_domain.tool_execution import ToolEffect
from cortex_domain.web_content import FetchedPage, SearchHit, SearchQuery

HITS: Final = 5
SNIPPET_CHARACTERS: Final = 300
PAGE_CHARACTERS: Final = 8000
"""About two thousand tokens, so that a small model has room for a few pages."""

_SEARCH_TIMEOUT_S: Final = 45.0
_FETCH_TIMEOUT_S: Final = 45.0
_LOOK_BACK_CHARACTERS: Final = 400


def web_search_tool(searcher: WebSearcher, *, is_paid: bool) -> FunctionTool[..., Any]:
    """Makes the tool `web_search`.

    Args:
        searcher: Searches.
        is_paid: Whether a search may cost money.
    """
    effects = {ToolEffect.NETWORK, ToolEffect.SPENDS} if is_paid else {ToolEffect.NETWORK}

    @tool(effects=effects, is_idempotent=True, is_concurrent=True, is_trusted=False, timeout_s=_SEARCH_TIMEOUT_S)
    async def web_search(query: str) -> dict[str, list[dict[str, str]]]:
        """Searches the web. Returns titles, addresses and snippets of pages; fetch_page reads one of them.

        Args:
            query: What to search for, in a few words.
        """
        hits = await searcher.search(_search_query(query))
        return {"results": [_told(hit) for hit in hits]}

    return web_search


def fetch_page_tool(fetcher: PageFetcher) -> FunctionTool[..., Any]:
    """Makes the tool `fetch_page`.

    Args:
        fetcher: Fetches; remembers a page for a while, so that what is read on is the same.
    """

    @tool(
        effects={ToolEffect.NETWORK},
        is_idempotent=True,
        is_concurrent=True,
        is_trusted=False,
        timeout_s=_FETCH_TIMEOUT_S,
    )
    async def fetch_page(url: str, start: Annotated[int, Field(ge=0)] = 0) -> str:
        """Reads a page of the public web as Markdown. A long page comes in parts.

        Args:
            url: The address, with http:// or https://.
            start: The character to go on from, when an earlier part ended there.
        """
        page = await fetcher.fetch(url.strip())
        return _part(page, start)

    return fetch_page


def _search_query(text: str) -> SearchQuery:
    try:
        return SearchQuery(text=" ".join(text.split()), count=HITS)
    except InvalidRequestError as exc:
        raise InvalidToolArgumentsError(f"query: {exc.message}", name="web_search") from exc


def _told(hit: SearchHit) -> dict[str, str]:
    told = {"title": hit.title, "url": hit.url, "snippet": _shortened(hit.snippet)}
    return told if hit.published is None else told | {"published": hit.published.isoformat()}


def _shortened(snippet: str) -> str:
    if len(snippet) <= SNIPPET_CHARACTERS:
        return snippet
    return snippet[: SNIPPET_CHARACTERS - 1].rpartition(" ")[0] + "…"


def _part(page: FetchedPage, start: int) -> str:
    if start > 0 and start >= len(page.text):
        message = f"The page has {len(page.text)} characters; start must be below that."
        raise ToolFailedError(message, reason="past_the_end")
    end = _end(page.text, start)
    title = [] if page.title is None else [f"Title: {legible(page.title)}"]
    return "\n".join(
        [
            *title,
            f"URL: {page.final_url}",
            "",
            legible(page.text[start:end]) or "The page shows no text.",
            *_rest(page, start, end),
        ]
    )


def _end(text: str, start: int) -> int:
    """Finds where a part ends: after a line or a word, if there is one near the limit."""
    limit = start + PAGE_CHARACTERS
    if limit >= len(text):
        return len(text)
    for mark in ("\n", " "):
        found = text.rfind(mark, limit - _LOOK_BACK_CHARACTERS, limit)
        if found != -1:
            return found + 1
    return limit


def _rest(page: FetchedPage, start: int, end: int) -> list[str]:
    if start == 0 and end == len(page.text):
        return []
    told = f"Characters {start} to {end} of {len(page.text)}."
    return ["", f"[{told}]" if end == len(page.text) else f"[{told} Go on with start={end}.]"]
