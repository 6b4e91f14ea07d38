"""Page fetchers that are wrong in one way each."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.page_fetcher import PageFetcherHarness
from cortex_domain.errors import PageFetchError, WebFailure
from cortex_domain.ports import PageFetcher
from cortex_domain.web_content import FetchedPage


class _Passing(PageFetcher):
    """Wrong in no way yet."""

    def __init__(self, inner: PageFetcher) -> None:
        self._inner = inner

    async def fetch(self, url: str, /) -> FetchedPage:
        return await self._inner.fetch(url)


class _TrustsNumbers(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        """Takes an address that is one number for a name that nobody has to look at."""
        return _empty(url) if url.startswith("http://2130706433:") else await super().fetch(url)


class _TrustsRedirects(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        """Takes what cannot be fetched after a redirect for an empty page."""
        try:
            return await super().fetch(url)
        except PageFetchError as error:
            if error.url == url:
                raise
            return _empty(url)


class _KeepsTags(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        page = await super().fetch(url)
        return replace(page, text=f"<p>{page.text}</p>") if page.media_type == "text/html" else page


class _StripsText(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        page = await super().fetch(url)
        return replace(page, text=page.text.strip())


class _ForgetsWhereItLed(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        return replace(await super().fetch(url), final_url=url)


class _TakesFailureForEmpty(_Passing):
    failure: WebFailure

    async def fetch(self, url: str, /) -> FetchedPage:
        """Returns an empty page where one failure should be raised."""
        try:
            return await super().fetch(url)
        except PageFetchError as error:
            if error.reason is not self.failure:
                raise
            return _empty(url)


class _TakesErrorsForPages(_TakesFailureForEmpty):
    failure = WebFailure.HTTP_STATUS


class _TakesPicturesForPages(_TakesFailureForEmpty):
    failure = WebFailure.UNSUPPORTED_CONTENT


class _CutsInSilence(_TakesFailureForEmpty):
    failure = WebFailure.TOO_LARGE


class _MixesUp(_Passing):
    async def fetch(self, url: str, /) -> FetchedPage:
        """Fetches what was asked for last."""
        self._url = url
        await asyncio.sleep(0)
        return await super().fetch(self._url)


def _empty(url: str) -> FetchedPage:
    return FetchedPage(url=url, final_url=url, text="", media_type="text/plain")


def _breakage(requirement_id: str, broken: Callable[[PageFetcher], PageFetcher]) -> Breakage[PageFetcherHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, fetcher=broken(harness.fetcher)))


BROKEN_PAGE_FETCHERS = (
    _breakage("page_fetcher.public_web_only", _TrustsNumbers),
    _breakage("page_fetcher.checks_redirects", _TrustsRedirects),
    _breakage("page_fetcher.html_becomes_markdown", _KeepsTags),
    _breakage("page_fetcher.text_stays", _StripsText),
    _breakage("page_fetcher.follows_redirects", _ForgetsWhereItLed),
    _breakage("page_fetcher.failure_raises", _TakesErrorsForPages),
    _breakage("page_fetcher.refuses_what_is_no_text", _TakesPicturesForPages),
    _breakage("page_fetcher.refuses_what_is_too_large", _CutsInSilence),
    _breakage("page_fetcher.side_by_side", _MixesUp),
)
