"""Whatever an address, a server or a page consists of, there is a page or a `PageFetchError`."""

import asyncio
import gzip
import itertools
import ssl
import string
import zlib
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_adapters.web_pages import FetchLimits, GuardedNetwork, HttpPageFetcher
from cortex_adapters.web_pages.body_reading import BodyTooLargeError, DamagedBodyError, read_body
from cortex_adapters.web_pages.html_to_markdown import read_html
from cortex_adapters.web_pages.page_addresses import parse_page_url, redirected
from cortex_adapters.web_pages.text_decoding import decode_text
from cortex_domain.errors import PageFetchError
from tests.adapters.web_pages.test_guarded_network import PUBLIC, RecordingBackend

HOSTS = st.text(string.ascii_letters + string.digits + ".-:[]%@_~!ßİ。①xn--", max_size=30)
URLS = st.one_of(st.text(max_size=50), st.builds("http://{}/{}".format, HOSTS, st.text(max_size=20)))
HEADERS = st.sampled_from(
    (
        b"Content-Type: text/plain",
        b"Content-Type: text/plain; charset=\xff",
        b'Content-Type: ;;;="',
        b"Content-Encoding: gzip",
        b"Content-Encoding: deflate",
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
        b"Location: /\xff\xfe",
        b"Location: http://[::",
        b"Retry-After: \xb2",
        b"\x00: 1",
        b": empty",
    )
)
STATUSES = st.sampled_from((b"200 OK", b"302 Found", b"404 ", b"999 ?", b"100 Continue", b"20 x", b"-1"))


@given(URLS)
@example("http://" + "a." * 990)
@example("http://xn--a/")
@example("http://0/" + "a" * 1980)
def test_any_text_is_an_address_or_refused(url: str) -> None:
    try:
        parsed = parse_page_url(url)
    except PageFetchError:
        return
    assert parsed.scheme in ("http", "https")
    assert parsed.host
    assert parse_page_url(str(parsed)) == parsed


@given(st.one_of(URLS, st.text(max_size=50).map("//{}".format)))
def test_any_text_is_a_redirect_or_refused(location: str) -> None:
    try:
        target = redirected(parse_page_url("https://a.example/b/"), location)
    except PageFetchError:
        return
    assert target.scheme in ("http", "https")


async def _public(host: str, port: int) -> Sequence[str]:
    return [PUBLIC]


async def _fetched(answer: bytes) -> str | None:
    network = GuardedNetwork(backend=RecordingBackend([answer]), resolver=_public, own=lambda: ())
    fetcher = HttpPageFetcher(network=network, limits=LIMITS, ssl_context=UNUSED)
    try:
        return (await fetcher.fetch("http://a.example/")).text
    except PageFetchError:
        return None


LIMITS = FetchLimits(max_bytes=10_000, time_s=5.0)
UNUSED = ssl.create_default_context()
"""Made once, because making one takes longer than a fetch."""


@given(
    status=STATUSES,
    headers=st.lists(HEADERS, max_size=5),
    body=st.one_of(st.binary(max_size=50), st.just(b"5\r\nhello")),
)
def test_any_answer_is_a_page_or_a_failure(status: bytes, headers: Sequence[bytes], body: bytes) -> None:
    answer = b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"", body])
    asyncio.run(_fetched(answer))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_a_failure(answer: bytes) -> None:
    asyncio.run(_fetched(answer))


@given(st.binary(max_size=100), st.text(max_size=30), st.booleans())
def test_any_bytes_become_text(body: bytes, charset: str, is_html: bool) -> None:
    assert isinstance(decode_text(body, f"text/plain; charset={charset}", is_html=is_html), str)


async def _pieces(body: bytes, cuts: Sequence[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in itertools.pairwise(edges):
        yield body[start:end]


@given(
    members=st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=10),
)
def test_a_packed_body_is_unpacked_however_it_arrives(members: Sequence[bytes], cuts: Sequence[int]) -> None:
    body = b"".join(members)
    for encoding, packed in (
        ("", body),
        ("gzip", b"".join(map(gzip.compress, members))),
        ("deflate", zlib.compress(body)),
    ):
        enough = max(len(body), len(packed))
        read = asyncio.run(read_body(_pieces(packed, cuts), encoding=encoding, max_bytes=enough))
        assert read == body
        if body:
            with pytest.raises(BodyTooLargeError):
                asyncio.run(read_body(_pieces(packed, cuts), encoding=encoding, max_bytes=len(body) - 1))


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0, max_value=200), max_size=4))
def test_any_packed_bytes_are_unpacked_or_damaged(packed: bytes, cuts: Sequence[int]) -> None:
    try:
        asyncio.run(read_body(_pieces(packed, cuts), encoding="gzip", max_bytes=1000))
    except (DamagedBodyError, BodyTooLargeError):
        return


TAGS = (
    "html",
    "body",
    "p",
    "a",
    "table",
    "tr",
    "td",
    "ul",
    "li",
    "h1",
    "pre",
    "code",
    "title",
    "article",
    "br",
    "form",
)
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.sampled_from(
        ["<a href='javascript:x'>", "<a href='http://[:'>", "<base href='//'>", "<!--", "]]>", "<?x", "&#0;"]
    ),
    st.text(max_size=10),
)


@given(st.lists(PIECES, max_size=20))
def test_any_html_is_read_or_refused(pieces: Sequence[str]) -> None:
    from lxml import etree

    try:
        page = read_html("".join(pieces).encode(errors="replace").decode(), "https://a.example/")
    except (etree.LxmlError, ValueError):
        return
    assert "\x00" not in page.text
