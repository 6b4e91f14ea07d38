"""Port: searches the web."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cortex_domain.web_content import SearchHit, SearchQuery


class WebSearcher(Protocol):
    """A search service, or several of them.

    Contract:
        - There are at most as many hits as were asked for, the best first, each address once.
        - Hits lead to pages: their addresses are absolute, http or https.
        - Titles and snippets are plain text, without tags, and nothing that is escaped.
        - A search that finds nothing returns nothing. One that fails raises; a failure is never an empty result.
        - Searches run side by side, each with its own result.
    """

    @abstractmethod
    async def search(self, query: SearchQuery, /) -> Sequence[SearchHit]:
        """Searches.

        Raises:
            WebSearchError: The service cannot be reached, refuses, or answers with what nobody can read.
        """
