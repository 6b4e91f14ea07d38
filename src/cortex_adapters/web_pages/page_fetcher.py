"""Fetches pages of the public web over HTTP/1.1.

Each fetch has connections of its own, so that nothing that was opened for one page serves another. There are no
cookies, no proxies and no credentials. A fetch is what a person or a model asks for, one page at a time, so
`robots.txt`, which is for programs that wander about by themselves, is not read.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpcore2
from httpcore2 import AsyncConnectionPool, Response
from httpx2 import URL

from cortex_adapters.web_pages.body_reading import ACCEPTED_ENCODINGS, read_body
from cortex_adapters.web_pages.error_translation import failed, translated
from cortex_adapters.web_pages.guarded_network import GuardedNetwork
from cortex_adapters.web_pages.html_process import ReadingLimits, read_html
from cortex_adapters.web_pages.page_addresses import parse_page_url, redirected
from cortex_adapters.web_pages.read_page import ReadPage
from cortex_adapters.web_pages.response_headers import content_length, header, media_type_of, retry_after_s
from cortex_adapters.web_pages.text_decoding import decode_text
from cortex_domain.errors import WebFailure
from cortex_domain.ports import PageFetcher
from cortex_domain.web_content import FetchedPage

MAX_REDIRECTS: Final = 5

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_HTML: Final = ("text/html", "application/xhtml+xml")
_TEXT: Final = ("application/json", "application/xml", "application/javascript", "application/x-ndjson")
_TEXT_SUFFIXES: Final = ("+json", "+xml", "/yaml", "/x-yaml", "/toml")
_CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one page may take.

    Attributes:
        max_bytes: The largest body, both as it is sent and unpacked.
        time_s: Seconds for all redirects and the whole body.
        reading: What reading HTML may take after that.
        readings: How many pages of HTML are read at the same time; each takes a process.
    """

    max_bytes: int = 5_000_000
    time_s: float = 20.0
    reading: ReadingLimits = field(default_factory=ReadingLimits)
    readings: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a server sent.

    Attributes:
        url: The address that answered.
        content_type: The header, as it was sent.
        media_type: What of it says what the body is.
        body: The body, unpacked.
    """

    url: URL
    content_type: str
    media_type: str
    body: bytes


class HttpPageFetcher(PageFetcher):
    """Fetches over a network that is guarded, and has HTML read by processes of their own.

    Args:
        network: Opens connections; what it refuses is not reached.
        limits: What one page may take.
        user_agent: What servers are told who asks.
        ssl_context: Whom to trust; None trusts whom httpcore2 trusts by default.
    """

    def __init__(
        self,
        *,
        network: GuardedNetwork,
        limits: FetchLimits | None = None,
        user_agent: str = "Cortex",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._network = network
        self._limits = limits or FetchLimits()
        self._user_agent = user_agent
        self._ssl_context = ssl_context or httpcore2.default_ssl_context()
        self._readers = asyncio.Semaphore(self._limits.readings)

    async def fetch(self, url: str, /) -> FetchedPage:
        """Fetches a page, and makes Markdown of it if it is HTML."""
        parsed = parse_page_url(url)
        with translated(url):
            async with asyncio.timeout(self._limits.time_s):
                answer = await self._follow(parsed)
        text = decode_text(answer.body, answer.content_type, is_html=answer.media_type in _HTML)
        page = await self._read(text, answer)
        return FetchedPage(
            url=url, final_url=str(answer.url), title=page.title, text=page.text, media_type=answer.media_type
        )

    async def _follow(self, url: URL) -> _Answer:
        async with AsyncConnectionPool(network_backend=self._network, ssl_context=self._ssl_context) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                with translated(str(url)):
                    answer = await self._ask(pool, url)
                if isinstance(answer, _Answer):
                    return answer
                url = answer
        raise failed(f"The page redirects more than {MAX_REDIRECTS} times.", url, WebFailure.TOO_MANY_REDIRECTS)

    async def _ask(self, pool: AsyncConnectionPool, url: URL) -> _Answer | URL:
        """Returns what is there, or where to go instead."""
        async with self._response(pool, url) as response:
            location = header(response, b"location")
            if response.status in _REDIRECTS and location:
                return redirected(url, location)
            _check_status(response, url)
            return await self._read_answer(response, url)

    @asynccontextmanager
    async def _response(self, pool: AsyncConnectionPool, url: URL) -> AsyncIterator[Response]:
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        headers = [
            ("Host", url.netloc.decode("ascii")),
            ("User-Agent", self._user_agent),
            ("Accept", "text/html, application/xhtml+xml, text/plain, application/json;q=0.9, */*;q=0.5"),
            ("Accept-Encoding", ACCEPTED_ENCODINGS),
            ("Connection", "close"),
        ]
        extensions = {"timeout": {"connect": _CONNECT_TIMEOUT_S}}
        async with pool.stream("GET", target, headers=headers, extensions=extensions) as response:
            yield response

    async def _read_answer(self, response: Response, url: URL) -> _Answer:
        content_type = header(response, b"content-type")
        media_type = media_type_of(content_type)
        if not _is_text(media_type):
            message = f"What is there is {media_type or 'of no stated type'}. Only HTML and plain text can be read."
            raise failed(message, url, WebFailure.UNSUPPORTED_CONTENT)
        if content_length(response) > self._limits.max_bytes:
            raise failed("The page is too large.", url, WebFailure.TOO_LARGE)
        encoding = header(response, b"content-encoding").strip().lower()
        body = await read_body(response.aiter_stream(), encoding=encoding, max_bytes=self._limits.max_bytes)
        return _Answer(url=url, content_type=content_type, media_type=media_type, body=body)

    async def _read(self, text: str, answer: _Answer) -> ReadPage:
        if answer.media_type not in _HTML:
            return ReadPage(title=None, text=text)
        url = str(answer.url)
        async with self._readers:
            with translated(url):
                return await read_html(text, url, limits=self._limits.reading)


def _is_text(media_type: str) -> bool:
    return media_type in (*_HTML, *_TEXT) or media_type.startswith("text/") or media_type.endswith(_TEXT_SUFFIXES)


def _check_status(response: Response, url: URL) -> None:
    if response.status in (200, 203):
        return
    reason = WebFailure.RATE_LIMITED if response.status == 429 else WebFailure.HTTP_STATUS
    raise failed(
        f"The server answers with status {response.status}.",
        url,
        reason,
        status=response.status,
        retry_after_s=retry_after_s(response),
    )
