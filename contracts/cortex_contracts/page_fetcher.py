"""The contract of `cortex_domain.ports.PageFetcher`."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.hostile_urls import hostile_urls
from cortex_domain.errors import PageFetchError, WebFailure
from cortex_domain.ports import PageFetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDocument:
    """What a web server answers.

    Attributes:
        body: The body as it is sent.
        media_type: Its Content-Type.
        encoding: Its Content-Encoding; None sends no such header.
        status: The status of the answer.
        location: Where it redirects to; None when it does not.
        title: What the document calls itself.
        shows: What a reader sees of it, besides the title.
    """

    body: bytes = b""
    media_type: str = "text/html; charset=utf-8"
    encoding: str | None = None
    status: int = 200
    location: str | None = None
    title: str | None = None
    shows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFetcherHarness:
    """What the contract needs.

    Attributes:
        fetcher: The adapter under test. It may reach the server of `serve`, which can be local, and nothing else that
            is local.
        serve: Puts a document on a web server and returns its address, a new one each time.
        max_bytes: The largest body that the fetcher takes, unpacked; small enough to be served a few times.
        listening_port: A port on which something listens on all addresses of this machine.
        reached: Tells how often somebody connected to it.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    fetcher: PageFetcher
    serve: Callable[[WebDocument], str]
    max_bytes: int
    listening_port: int
    reached: Callable[[], int]
    patience_s: float = 120.0


@pytest.mark.asyncio
class PageFetcherContract:
    """Subclass this and define a fixture `harness` that returns a `PageFetcherHarness`."""

    @checks("page_fetcher.public_web_only")
    async def test_public_web_only(self, harness: PageFetcherHarness) -> None:
        """Fetches what leads to this machine and its networks, in every spelling."""
        for url in hostile_urls(harness.listening_port):
            with pytest.raises(PageFetchError):
                await harness.fetcher.fetch(url)
        assert harness.reached() == 0

    @checks("page_fetcher.checks_redirects")
    async def test_checks_redirects(self, harness: PageFetcherHarness) -> None:
        """Fetches pages that redirect there."""
        for url in hostile_urls(harness.listening_port):
            if url.startswith("http") and url.isascii() and url.isprintable():
                with pytest.raises(PageFetchError):
                    await harness.fetcher.fetch(harness.serve(WebDocument(status=302, location=url)))
        assert harness.reached() == 0

    @checks("page_fetcher.html_becomes_markdown")
    async def test_html_becomes_markdown(self, harness: PageFetcherHarness) -> None:
        """Fetches an article and looks for its words, and for tags."""
        url = harness.serve(_article("octopus"))
        page = await harness.fetcher.fetch(url)
        assert (page.url, page.final_url, page.media_type) == (url, url, "text/html")
        assert page.title == "All about octopus"
        assert "The octopus is curious" in page.text
        assert not any(tag in page.text for tag in ("<p>", "<h1>", "<script", "<title"))

    @checks("page_fetcher.text_stays")
    async def test_text_stays(self, harness: PageFetcherHarness) -> None:
        """Fetches plain text that looks like markup, and JSON."""
        for media_type, text in (("text/plain", "  <b>not bold</b>\n\n# ü\n"), ("application/json", '{"a": ["<p>"]}')):
            document = WebDocument(body=text.encode(), media_type=f"{media_type}; charset=utf-8", shows=text)
            page = await harness.fetcher.fetch(harness.serve(document))
            assert (page.text, page.media_type) == (text, media_type)

    @checks("page_fetcher.follows_redirects")
    async def test_follows_redirects(self, harness: PageFetcherHarness) -> None:
        """Fetches a page by way of two others."""
        target = harness.serve(_article("otter"))
        between = harness.serve(WebDocument(status=301, location=target))
        url = harness.serve(WebDocument(status=307, location=between))
        page = await harness.fetcher.fetch(url)
        assert (page.url, page.final_url) == (url, target)
        assert "The otter is curious" in page.text

    @checks("page_fetcher.failure_raises")
    async def test_failure_raises(self, harness: PageFetcherHarness) -> None:
        """Fetches error pages, which have a text too."""
        for status in (403, 404, 500):
            with pytest.raises(PageFetchError) as caught:
                await harness.fetcher.fetch(harness.serve(replace(_article("error"), status=status)))
            assert (caught.value.reason, caught.value.status) == (WebFailure.HTTP_STATUS, status)

    @checks("page_fetcher.refuses_what_is_no_text")
    async def test_refuses_what_is_no_text(self, harness: PageFetcherHarness) -> None:
        """Fetches a picture and an archive."""
        for media_type in ("image/png", "application/zip"):
            with pytest.raises(PageFetchError) as caught:
                await harness.fetcher.fetch(harness.serve(WebDocument(body=b"\x89PNG\0", media_type=media_type)))
            assert caught.value.reason is WebFailure.UNSUPPORTED_CONTENT

    @checks("page_fetcher.refuses_what_is_too_large")
    async def test_refuses_what_is_too_large(self, harness: PageFetcherHarness) -> None:
        """Fetches a text of as much as may be, of one byte more, and one that is packed into little."""
        whole = WebDocument(body=b"a" * harness.max_bytes, media_type="text/plain", shows="a" * harness.max_bytes)
        assert len((await harness.fetcher.fetch(harness.serve(whole))).text) == harness.max_bytes
        packed = gzip.compress(whole.body + b"a")
        for document in (replace(whole, body=whole.body + b"a"), replace(whole, body=packed, encoding="gzip")):
            with pytest.raises(PageFetchError) as caught:
                await harness.fetcher.fetch(harness.serve(document))
            assert caught.value.reason is WebFailure.TOO_LARGE

    @checks("page_fetcher.side_by_side")
    async def test_side_by_side(self, harness: PageFetcherHarness) -> None:
        """Fetches several pages at once."""
        animals = ("newt", "heron", "badger")
        urls = [harness.serve(_article(animal)) for animal in animals]
        pages = await asyncio.gather(*(harness.fetcher.fetch(url) for url in urls))
        for page, url, animal in zip(pages, urls, animals, strict=True):
            assert page.url == url
            assert f"The {animal} is curious" in page.text


def _article(animal: str) -> WebDocument:
    says = (
        f"The {animal} is curious and lives near water. Those who watch it for a whole day see it sleep, eat and "
        "wander about; those who watch it for a year see it raise its young and leave them."
    )
    title = f"All about {animal}"
    body = (
        f"<!doctype html><html><head><title>{title}</title><script>var hidden = 1;</script></head>"
        f"<body><article><h1>{title}</h1><p>{says}</p><p>{says}</p></article></body></html>"
    )
    return WebDocument(body=body.encode(), title=title, shows=f"# {title}\n\n{says}\n\n{says}")
