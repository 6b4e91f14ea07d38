"""What servers may do to whoever fetches from them."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cortex_adapters.web_pages import AllowedHost, FetchLimits, GuardedNetwork, HttpPageFetcher
from cortex_contracts.page_fetcher import WebDocument
from cortex_domain.errors import PageFetchError, WebFailure
from tests.adapters.web_pages.web_server import DocumentServer

LOCAL = GuardedNetwork(allowed=[AllowedHost(name="127.0.0.1")])
LIMITS = FetchLimits(max_bytes=200_000, time_s=5.0)
FETCHER = HttpPageFetcher(network=LOCAL, limits=LIMITS)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(handle: Handler) -> AsyncIterator[str]:
    """Serves connections byte by byte."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def answering(*pieces: bytes) -> Handler:
    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return handle


async def _failure(url: str, fetcher: HttpPageFetcher = FETCHER) -> PageFetchError:
    with pytest.raises(PageFetchError) as caught:
        await fetcher.fetch(url)
    return caught.value


@pytest.mark.parametrize("redirects", [5, 6])
async def test_five_redirects_are_followed(documents: DocumentServer, redirects: int) -> None:
    url = documents.serve(WebDocument(body=b"there", media_type="text/plain"))
    for _ in range(redirects):
        url = documents.serve(WebDocument(status=302, location=url))
    if redirects == 5:
        assert (await FETCHER.fetch(url)).text == "there"
    else:
        assert (await _failure(url)).reason is WebFailure.TOO_MANY_REDIRECTS


@pytest.mark.parametrize("location", ["http://[", "/\x7f", "\\\\evil", "ftp://a.example/", "http://a:b@c.example/"])
async def test_a_redirect_to_no_page_is_refused(location: str) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(answer)) as url:
        assert (await _failure(url)).reason is WebFailure.INVALID_URL


async def test_a_redirect_without_a_target_is_an_error_page(documents: DocumentServer) -> None:
    error = await _failure(documents.serve(WebDocument(status=302)))
    assert (error.reason, error.status) == (WebFailure.HTTP_STATUS, 302)


async def test_fragments_stay_here_and_relative_redirects_are_followed(web_server: HTTPServer) -> None:
    web_server.clear()
    web_server.expect_request("/a/").respond_with_response(Response(status=303, headers={"Location": "b?c=ü#there"}))
    web_server.expect_request("/a/b", query_string={"c": "ü"}).respond_with_data("found", content_type="text/plain")
    page = await FETCHER.fetch(web_server.url_for("/a/") + "#here")
    assert page.text == "found"
    assert page.final_url == web_server.url_for("/a/b?c=%C3%BC")


async def test_what_a_server_is_told(web_server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cookies, no credentials, no referrer; and no proxy of the environment hears of it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    seen: list[Request] = []

    def handle(request: Request) -> Response:
        seen.append(request)
        headers = {"Set-Cookie": "a=b", "Location": "/2"} if request.path == "/1" else {"Content-Type": "text/plain"}
        return Response("", status=302 if request.path == "/1" else 200, headers=headers)

    web_server.clear()
    web_server.expect_request("/1").respond_with_handler(handle)
    web_server.expect_request("/2").respond_with_handler(handle)
    await HttpPageFetcher(network=LOCAL, user_agent="Cortex/1").fetch(web_server.url_for("/1"))
    for request in seen:
        assert {name.lower() for name in request.headers.keys()} == {  # noqa: SIM118
            *("host", "user-agent", "accept", "accept-encoding", "connection")
        }
        assert request.headers["User-Agent"] == "Cortex/1"
        assert request.headers["Host"] == f"127.0.0.1:{web_server.port}"
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("status", "reason", "is_transient"),
    [(429, WebFailure.RATE_LIMITED, False), (503, WebFailure.HTTP_STATUS, True), (204, WebFailure.HTTP_STATUS, False)],
)
async def test_a_server_may_say_when_to_come_again(status: int, reason: WebFailure, is_transient: bool) -> None:
    answer = f"HTTP/1.1 {status} X\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n".encode()
    async with raw_server(answering(answer)) as url:
        error = await _failure(url)
    assert (error.reason, error.status, error.retry_after_s) == (reason, status, 17.0)
    assert error.is_transient == is_transient


@pytest.mark.parametrize("stated", ["soon", "-1", "9" * 30])
async def test_a_date_nobody_can_use_is_no_date(stated: str) -> None:
    async with raw_server(
        answering(b"HTTP/1.1 503 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % stated.encode())
    ) as url:
        assert (await _failure(url)).retry_after_s is None


async def test_a_large_page_is_refused_before_it_is_read() -> None:
    asked = asyncio.Event()

    async def announce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999999999\r\n\r\n")
        await writer.drain()
        assert await reader.read() == b""  # the other side leaves without a byte of the body
        asked.set()

    async with raw_server(announce) as url:
        assert (await _failure(url)).reason is WebFailure.TOO_LARGE
        await asyncio.wait_for(asked.wait(), 30)


@pytest.mark.parametrize("framing", [b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_page_without_an_end_is_refused(framing: bytes) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + framing + b"\r\n")
        while True:
            writer.write(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")
            await writer.drain()

    async with raw_server(endless) as url:
        assert (await _failure(url)).reason is WebFailure.TOO_LARGE


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_a_server_that_is_slow_is_given_up(head: bytes) -> None:
    async def dawdle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(60)

    fetcher = HttpPageFetcher(network=LOCAL, limits=FetchLimits(time_s=0.2))
    async with raw_server(dawdle) as url:
        error = await _failure(url, fetcher)
    assert (error.reason, error.is_transient) == (WebFailure.TIMEOUT, True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", WebFailure.BAD_ANSWER),
        (b"SSH-2.0-OpenSSH_9.6\r\n", WebFailure.BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhalf", WebFailure.BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 20_000 + b"\r\n", WebFailure.BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", WebFailure.BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", WebFailure.UNSUPPORTED_CONTENT),
    ],
)
async def test_a_server_that_breaks_the_protocol_is_refused(answer: bytes, reason: WebFailure) -> None:
    async with raw_server(answering(answer)) as url:
        assert (await _failure(url)).reason is reason


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async with raw_server(answering()) as url:
        pass
    assert (await _failure(url)).reason is WebFailure.UNREACHABLE


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"packed")),
        ("GZip", gzip.compress(b"pac") + gzip.compress(b"ked")),
        ("deflate", zlib.compress(b"packed")),
        ("identity", b"packed"),
    ],
)
async def test_packed_pages_are_unpacked(documents: DocumentServer, encoding: str, packed: bytes) -> None:
    document = WebDocument(body=packed, media_type="text/plain", encoding=encoding)
    assert (await FETCHER.fetch(documents.serve(document))).text == "packed"


@pytest.mark.parametrize(
    ("encoding", "packed", "reason"),
    [
        ("gzip", gzip.compress(b"a" * 100_000_000, compresslevel=1), WebFailure.TOO_LARGE),
        ("gzip", gzip.compress(b"") * 9000, WebFailure.TOO_LARGE),
        ("gzip, gzip", gzip.compress(gzip.compress(b"a" * 10_000_000)), WebFailure.BAD_ANSWER),
        ("br", b"a", WebFailure.BAD_ANSWER),
        ("gzip", gzip.compress(b"a" * 100)[:-9], WebFailure.BAD_ANSWER),
        ("gzip", b"not packed", WebFailure.BAD_ANSWER),
        ("gzip", b"", WebFailure.BAD_ANSWER),
    ],
    ids=["bomb", "many empty members", "twice", "unknown", "cut", "damaged", "nothing"],
)
async def test_what_unpacks_to_too_much_or_nothing_is_refused(
    documents: DocumentServer, encoding: str, packed: bytes, reason: WebFailure
) -> None:
    limits = FetchLimits(max_bytes=150_000)
    fetcher = HttpPageFetcher(network=LOCAL, limits=limits)
    url = documents.serve(WebDocument(body=packed, media_type="text/plain", encoding=encoding))
    assert (await _failure(url, fetcher)).reason is reason


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("Grüße".encode(), "text/plain", "Grüße"),
        ("Grüße".encode("latin-1"), "text/plain", "Grüße"),
        ("Grüße".encode("latin-1"), 'text/plain; charset="ISO-8859-1"', "Grüße"),
        ("“quoted”".encode("cp1252"), "text/plain; charset=latin1", "“quoted”"),
        ("Привет".encode("koi8-r"), "text/plain; charset=koi8-r", "Привет"),
        ("漢字".encode("shift_jis"), "text/plain; charset=Shift_JIS", "漢字"),
        ("\ufeffmarked".encode("utf-16"), "text/plain; charset=utf-8", "\ufeffmarked"),
        (b"\xef\xbb\xbfmarked", "text/plain", "marked"),
        (b"abc", "text/plain; charset=zlib_codec", "abc"),
        (b"abc", "text/plain; charset=punycode", "abc"),
        (b"a\\u0062c", "text/plain; charset=unicode_escape", "a\\u0062c"),
        (b"a\xffc", "text/plain; charset=utf-8", "a\ufffdc"),
        (b"abc", "text/plain; charset=\x80", "abc"),
    ],
)
async def test_bytes_become_text(body: bytes, content_type: str, text: str) -> None:
    header = content_type.encode("latin-1")
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (header, len(body))
    async with raw_server(answering(answer, body)) as url:
        assert (await FETCHER.fetch(url)).text == text


@pytest.mark.parametrize("meta", ['<meta charset="windows-1251">', "<META http-equiv=x content='t; charset=cp1251'>"])
async def test_html_may_say_its_charset_itself(documents: DocumentServer, meta: str) -> None:
    body = f"<html><head>{meta}<title>Привет</title></head><body><p>Мир</p></body></html>".encode("cp1251")
    page = await FETCHER.fetch(documents.serve(WebDocument(body=body, media_type="text/html")))
    assert (page.title, page.text) == ("Привет", "Мир")


@pytest.mark.parametrize(
    "media_type", ["application/pdf", "image/svg", "application/octet-stream", "multipart/form-data", "video/mp4"]
)
async def test_the_refusal_names_what_is_there(documents: DocumentServer, media_type: str) -> None:
    error = await _failure(documents.serve(WebDocument(body=b"%PDF", media_type=media_type)))
    assert error.reason is WebFailure.UNSUPPORTED_CONTENT
    assert media_type in error.message


@pytest.mark.parametrize("media_type", ["application/ld+json", "text/csv", "application/xml", "TEXT/Plain;a=b"])
async def test_text_of_every_kind_is_returned(documents: DocumentServer, media_type: str) -> None:
    page = await FETCHER.fetch(documents.serve(WebDocument(body=b"<a>b</a>", media_type=media_type)))
    assert page.text == "<a>b</a>"
    assert page.media_type == media_type.lower().removesuffix(";a=b")


async def test_leaving_ends_the_connection() -> None:
    left = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        left.set()

    async with raw_server(wait) as url:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(FETCHER.fetch(url), 0.1)
        await asyncio.wait_for(left.wait(), 30)
