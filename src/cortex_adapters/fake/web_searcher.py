"""Searches a web that was written down."""

import asyncio
from collections.abc import Mapping, Sequence

from cortex_domain.errors import WebSearchError
from cortex_domain.ports import WebSearcher
from cortex_domain.search_hits import usable_hits
from cortex_domain.web_content import SearchHit, SearchQuery


class FakeWebSearcher(WebSearcher):
    """Finds what a script says, and nothing for what the script does not know.

    Args:
        script: What searches for a text find, or the error that they end with.

    Attributes:
        searches: Every search that was made, in order.
    """

    def __init__(self, script: Mapping[str, Sequence[SearchHit] | WebSearchError] | None = None) -> None:
        self._script = dict(script or {})
        self.searches: list[SearchQuery] = []

    def answer(self, text: str, found: Sequence[SearchHit] | WebSearchError, /) -> None:
        """Adds to the script."""
        self._script[text] = found

    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Looks into the script."""
        self.searches.append(query)
        await asyncio.sleep(0)
        found = self._script.get(query.text, ())
        if isinstance(found, WebSearchError):
            raise found
        return usable_hits(found, count=query.count)
