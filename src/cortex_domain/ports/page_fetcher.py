"""Port: reads pages of the web."""

from abc import abstractmethod
from typing import Protocol

from cortex_domain.web_content import FetchedPage


class PageFetcher(Protocol):
    """Fetches what is at an address that a model, or a page, chose.

    Contract:
        - Nothing but the public web is reached: no address of this machine or its networks, however it is written,
          whatever a name resolves to, and wherever a page redirects. Only http and https, and no credentials.
        - HTML becomes Markdown, and what the page shows is in it; other text stays as it is.
        - Redirects are followed, a few of them, and the page tells where they led.
        - What is not text is refused, and so is what is too large, also when only unpacking it shows so.
        - A fetch that fails raises; an error page is never a page.
        - Fetches run side by side, each with its own page.
    """

    @abstractmethod
    async def fetch(self, url: str, /) -> FetchedPage:
        """Fetches a page.

        Raises:
            PageFetchError: It cannot be fetched, or must not be; `reason` says why.
        """
