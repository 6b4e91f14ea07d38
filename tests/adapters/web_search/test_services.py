"""What search services may answer besides what was asked for."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from httpx2 import AsyncClient
from pytest_httpserver import HTTPServer
from werkzeug import Response

from cortex_adapters.web_search import BraveWebSearcher, DdgsWebSearcher, SearxngWebSearcher, is_ddgs_installed
from cortex_adapters.web_search.search_service import MAX_ANSWER_BYTES, SearchService
from cortex_domain.errors import WebFailure, WebSearchError
from cortex_domain.web_content import SearchHit, SearchQuery
from tests.adapters.web_search.search_services import (
    KEY,
    Answer,
    BraveStandIn,
    SearchServiceStandIn,
    SearxngStandIn,
    as_json,
)

QUERY = SearchQuery(text="anything")


async def _failure(service: SearchServiceStandIn, client: AsyncClient, answer: Answer) -> WebSearchError:
    service.answer(QUERY.text, answer)
    with pytest.raises(WebSearchError) as caught:
        await service.searcher(client).search(QUERY)
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    return caught.value


async def test_days_are_read(service: SearchServiceStandIn, client: AsyncClient) -> None:
    service.offer(QUERY.text, [SearchHit(title="t", url="https://a.example/")])
    (hit,) = await service.searcher(client).search(QUERY)
    assert hit.published == date(2026, 1, 2)


@pytest.mark.parametrize(
    ("answer", "reason", "retry_after_s"),
    [
        (as_json({}, status=429, headers={"Retry-After": "7"}), WebFailure.RATE_LIMITED, 7.0),
        (as_json({}, status=429, headers={"X-RateLimit-Reset": "1, 1419704"}), WebFailure.RATE_LIMITED, 1.0),
        (
            as_json({}, status=429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
            WebFailure.RATE_LIMITED,
            None,
        ),
        (as_json({}, status=402, headers={}), WebFailure.RATE_LIMITED, None),
        (as_json({}, status=432, headers={}), WebFailure.RATE_LIMITED, None),
        (as_json({}, status=401, headers={}), WebFailure.KEY_REFUSED, None),
        (as_json({}, status=403, headers={}), WebFailure.KEY_REFUSED, None),
        (as_json({}, status=500, headers={}), WebFailure.HTTP_STATUS, None),
        (as_json({}, status=301, headers={"Location": "/elsewhere"}), WebFailure.HTTP_STATUS, None),
        (as_json({}, status=204, headers={}), WebFailure.HTTP_STATUS, None),
    ],
)
async def test_refusals_are_told_apart(
    service: SearchServiceStandIn,
    client: AsyncClient,
    answer: Answer,
    reason: WebFailure,
    retry_after_s: float | None,
) -> None:
    error = await _failure(service, client, answer)
    assert (error.reason, error.retry_after_s) == (reason, retry_after_s)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"results": null}',
        '{"results": {}}',
        '{"results": ["text"]}',
        '{"results": [{"title": "no address"}], "web": {"results": [{"title": "no address"}]}}',
        '{"web": []}',
        '{"web": {}}',
        '{"results": [{"url": 1, "title": 2}], "web": {"results": [{"url": 1}]}}',
        '{"results": [{"url": "https://a.example/"',
        "[" * 100_000,
        "\udcff",
        "<!doctype html><title>Sign in</title>",
    ],
)
async def test_what_is_no_answer_is_refused(service: SearchServiceStandIn, client: AsyncClient, body: str) -> None:
    raw = body.encode(errors="surrogateescape")
    error = await _failure(service, client, lambda: Response(raw, content_type="application/json"))
    assert error.reason is WebFailure.BAD_ANSWER


async def test_an_answer_without_an_end_is_refused(service: SearchServiceStandIn, client: AsyncClient) -> None:
    error = await _failure(service, client, lambda: Response(b" " * (MAX_ANSWER_BYTES + 1)))
    assert error.reason is WebFailure.TOO_LARGE


async def test_fields_that_are_missing_or_odd_are_left_out(service: SearchServiceStandIn, client: AsyncClient) -> None:
    odd = [
        {"url": "https://a.example/", "title": None, "content": 7, "description": ["a", None, "b"], "page_age": "soon"},
        {"url": None, "title": "no address"},
        {"url": "https://b.example/", "title": "B", "highlights": [], "summary": "", "text": "the text"},
    ]
    service.answer(QUERY.text, as_json({"type": "search", "results": odd, "web": {"results": odd}}))
    first, second = await service.searcher(client).search(QUERY)
    assert (first.title, first.url, first.published) == ("https://a.example/", "https://a.example/", None)
    assert second.title == "B"


async def test_a_service_that_is_slow_is_given_up(search_server: HTTPServer, client: AsyncClient) -> None:
    released = threading.Event()

    def wait(_: object) -> Response:
        released.wait(30)
        return Response("{}")

    search_server.clear()
    search_server.expect_request("/slow").respond_with_handler(wait)
    service = SearchService("slow", client=client, timeout_s=0.1)
    with pytest.raises(WebSearchError) as caught:
        await service.ask(client.build_request("GET", search_server.url_for("/slow")))
    released.set()
    assert (caught.value.reason, caught.value.is_transient) == (WebFailure.TIMEOUT, True)


async def test_an_answer_that_breaks_off_is_a_failure(client: AsyncClient) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"results":')
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(WebSearchError) as caught:
            await SearxngWebSearcher(client=client, base_url=f"http://127.0.0.1:{port}").search(QUERY)
    assert caught.value.reason is WebFailure.UNREACHABLE
    with pytest.raises(WebSearchError) as nobody:
        await SearxngWebSearcher(client=client, base_url=f"http://127.0.0.1:{port}").search(QUERY)
    assert nobody.value.reason is WebFailure.UNREACHABLE


async def test_searxng_says_how_to_allow_json(search_server: HTTPServer, client: AsyncClient) -> None:
    error = await _failure(SearxngStandIn(search_server), client, lambda: Response("Forbidden", status=403))
    assert "search.formats" in error.message


async def test_an_instance_whose_engines_are_all_down_has_not_searched(
    search_server: HTTPServer, client: AsyncClient
) -> None:
    nothing = {"results": [], "unresponsive_engines": [["google", "timeout"]]}
    error = await _failure(SearxngStandIn(search_server), client, as_json(nothing))
    assert error.reason is WebFailure.BAD_ANSWER


async def test_a_wrong_key_is_said_and_not_shown(search_server: HTTPServer, client: AsyncClient) -> None:
    service = BraveStandIn(search_server)
    searcher = BraveWebSearcher(client=client, key="wrong-key", base_url=service.base_url)
    with pytest.raises(WebSearchError, match="Check its key") as caught:
        await searcher.search(QUERY)
    assert "wrong-key" not in repr(caught.value)


class RatelimitException(Exception):  # noqa: N818 - the names are ddgs's
    """As ddgs raises it."""


class TimeoutException(Exception):  # noqa: N818
    """As ddgs raises it."""


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (RatelimitException("202 Ratelimit"), WebFailure.RATE_LIMITED),
        (TimeoutException("timed out"), WebFailure.TIMEOUT),
        (KeyError("results"), WebFailure.UNREACHABLE),
    ],
)
async def test_whatever_ddgs_raises_is_a_failed_search(raised: Exception, reason: WebFailure) -> None:
    def fail(query: SearchQuery) -> Sequence[Mapping[str, str]]:
        raise raised

    with pytest.raises(WebSearchError) as caught:
        await DdgsWebSearcher(search=fail).search(QUERY)
    assert (caught.value.provider, caught.value.reason) == ("ddgs", reason)


@pytest.mark.skipif(not is_ddgs_installed(), reason="the extra ddgs is not installed")
async def test_ddgs_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddgs.ddgs import DDGS

    def text(self: DDGS, query: str, *, max_results: int) -> list[dict[str, str]]:
        return [{"title": query, "href": "https://a.example/", "body": str(max_results)}]

    monkeypatch.setattr(DDGS, "text", text)
    (hit,) = await DdgsWebSearcher().search(QUERY)
    assert (hit.title, hit.snippet) == ("anything", "5")
