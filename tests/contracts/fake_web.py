"""Tells a fake page fetcher what a real one would say of the documents of a web server."""

import gzip
import itertools

from cortex_adapters.fake import FakePageFetcher
from cortex_contracts.page_fetcher import WebDocument
from cortex_domain.errors import PageFetchError, WebFailure
from cortex_domain.web_content import FetchedPage

_TEXT = ("text/", "application/json")


class FakeWeb:
    """Puts documents where the fetcher finds them.

    Args:
        fetcher: Finds them.
        max_bytes: The largest body that a page may have.
    """

    def __init__(self, fetcher: FakePageFetcher, *, max_bytes: int) -> None:
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._numbers = itertools.count()
        self._pages: dict[str, FetchedPage | PageFetchError] = {}

    def serve(self, document: WebDocument) -> str:
        url = f"https://web.example/{next(self._numbers)}"
        self._pages[url] = self._read(url, document)
        self._fetcher.answer(url, self._pages[url])
        return url

    def _read(self, url: str, document: WebDocument) -> FetchedPage | PageFetchError:
        if document.location is not None:
            return self._redirected(url, document.location)
        if document.status >= 400:
            reason = WebFailure.HTTP_STATUS
            return PageFetchError("It was made so.", url=url, reason=reason, status=document.status)
        if not document.media_type.startswith(_TEXT):
            return PageFetchError("This is no text.", url=url, reason=WebFailure.UNSUPPORTED_CONTENT)
        body = gzip.decompress(document.body) if document.encoding == "gzip" else document.body
        if len(body) > self._max_bytes:
            return PageFetchError("This is too large.", url=url, reason=WebFailure.TOO_LARGE)
        media_type = document.media_type.partition(";")[0]
        return FetchedPage(url=url, final_url=url, title=document.title, text=document.shows, media_type=media_type)

    def _redirected(self, url: str, location: str) -> FetchedPage | PageFetchError:
        page = self._pages.get(location)
        if isinstance(page, FetchedPage):
            return FetchedPage(
                url=url, final_url=page.final_url, title=page.title, text=page.text, media_type=page.media_type
            )
        return page or PageFetchError("It was made so.", url=location, reason=WebFailure.ADDRESS_REFUSED)
