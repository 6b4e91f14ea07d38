"""Reads a web that was written down."""

import asyncio
from collections.abc import Mapping

from cortex_domain.errors import PageFetchError, WebFailure
from cortex_domain.ports import PageFetcher
from cortex_domain.web_content import FetchedPage


class FakePageFetcher(PageFetcher):
    """Fetches the pages of a script; there are no others.

    Args:
        script: Page at each address, or the error that fetching it ends with.

    Attributes:
        fetches: Every address that was asked for, in order.
    """

    def __init__(self, script: Mapping[str, FetchedPage | PageFetchError] | None = None) -> None:
        self._script = dict(script or {})
        self.fetches: list[str] = []

    def answer(self, url: str, page: FetchedPage | PageFetchError, /) -> None:
        """Adds to the script."""
        self._script[url] = page

    async def fetch(self, url: str, /) -> FetchedPage:
        """Looks into the script."""
        self.fetches.append(url)
        await asyncio.sleep(0)
        page = self._script.get(url)
        if page is None:
            message = "Only the pages of a script can be fetched here, and this is none of them."
            raise PageFetchError(message, url=url, reason=WebFailure.HOST_NOT_FOUND)
        if isinstance(page, PageFetchError):
            raise page
        return page
