"""Stand-ins for search services, which answer in the forms of the real ones."""

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from httpx2 import AsyncClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cortex_adapters.web_search import BraveWebSearcher, ExaWebSearcher, SearxngWebSearcher, TavilyWebSearcher
from cortex_domain.ports import WebSearcher
from cortex_domain.web_content import SearchHit

KEY = "secret-key-of-somebody"
Answer = Callable[[], Response]


def as_json(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return lambda: Response(json.dumps(body), status=status, content_type="application/json", headers=headers)


class SearchServiceStandIn(ABC):
    """Answers what it was told to, and checks that it is asked in its form and with its key.

    Attributes:
        asked: Each request that was understood.
    """

    path: str
    method: str

    def __init__(self, server: HTTPServer) -> None:
        server.clear()
        server.expect_request(self.path, method=self.method).respond_with_handler(self._answer)
        self.base_url = server.url_for("").rstrip("/")
        self.asked: list[Request] = []
        self._answers: dict[str, Answer] = {}

    def offer(self, text: str, hits: Sequence[SearchHit]) -> None:
        self._answers[text] = as_json(self.form([self.result(hit) for hit in hits]))

    def break_down(self, text: str) -> None:
        self._answers[text] = lambda: Response("<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")

    def answer(self, text: str, answer: Answer) -> None:
        self._answers[text] = answer

    def _answer(self, request: Request) -> Response:
        if not self.has_key(request):
            return as_json({"error": "no key"}, status=401)()
        self.asked.append(request)
        return self._answers.get(self.text(request), as_json(self.nothing()))()

    @abstractmethod
    def searcher(self, client: AsyncClient) -> WebSearcher: ...

    @abstractmethod
    def text(self, request: Request) -> str: ...

    @abstractmethod
    def has_key(self, request: Request) -> bool: ...

    @abstractmethod
    def result(self, hit: SearchHit) -> dict[str, Any]: ...

    @abstractmethod
    def form(self, results: Sequence[Mapping[str, Any]]) -> Any: ...

    def nothing(self) -> Any:
        return self.form([])


class SearxngStandIn(SearchServiceStandIn):
    path, method = "/search", "GET"

    def searcher(self, client: AsyncClient) -> WebSearcher:
        return SearxngWebSearcher(client=client, base_url=self.base_url + "/")

    def text(self, request: Request) -> str:
        assert request.args["format"] == "json"
        return request.args["q"]

    def has_key(self, request: Request) -> bool:
        return True

    def result(self, hit: SearchHit) -> dict[str, Any]:
        return {
            "url": hit.url,
            "title": hit.title,
            "content": hit.snippet,
            "publishedDate": "2026-01-02T03:04:05",
            "engine": "duckduckgo",
            "template": "default.html",
            "parsed_url": ["https", "example.org", "/", "", "", ""],
            "engines": ["duckduckgo", "brave"],
            "positions": [1, 2],
            "score": 4.0,
            "category": "general",
        }

    def form(self, results: Sequence[Mapping[str, Any]]) -> Any:
        return {
            "query": "?",
            "number_of_results": len(results),
            "results": results,
            "answers": [],
            "corrections": [],
            "infoboxes": [],
            "suggestions": ["something else"],
            "unresponsive_engines": [["google", "CAPTCHA"]] if results else [],
        }


class BraveStandIn(SearchServiceStandIn):
    path, method = "/res/v1/web/search", "GET"

    def searcher(self, client: AsyncClient) -> WebSearcher:
        return BraveWebSearcher(client=client, key=KEY, base_url=self.base_url)

    def text(self, request: Request) -> str:
        assert 1 <= int(request.args["count"]) <= 20
        return request.args["q"]

    def has_key(self, request: Request) -> bool:
        return request.headers.get("X-Subscription-Token") == KEY

    def result(self, hit: SearchHit) -> dict[str, Any]:
        return {
            "type": "search_result",
            "title": html.escape(hit.title),
            "url": hit.url,
            "is_source_local": False,
            "description": f"<strong>{html.escape(hit.snippet)}</strong>",
            "page_age": "2026-01-02T03:04:05",
            "age": "January 2, 2026",
            "profile": {"name": "Example", "url": hit.url, "long_name": "example.org"},
            "meta_url": {"scheme": "https", "netloc": "example.org"},
        }

    def form(self, results: Sequence[Mapping[str, Any]]) -> Any:
        web = {"type": "search", "results": results, "family_friendly": True}
        return {"query": {"original": "?"}, "mixed": {"type": "mixed"}, "type": "search"} | (
            {"web": web} if results else {}
        )


class TavilyStandIn(SearchServiceStandIn):
    path, method = "/search", "POST"

    def searcher(self, client: AsyncClient) -> WebSearcher:
        return TavilyWebSearcher(client=client, key=KEY, base_url=self.base_url)

    def text(self, request: Request) -> str:
        body = request.get_json()
        assert 1 <= body["max_results"] <= 20
        return str(body["query"])

    def has_key(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {KEY}"

    def result(self, hit: SearchHit) -> dict[str, Any]:
        told = {"title": hit.title, "url": hit.url, "content": hit.snippet, "score": 0.8, "raw_content": None}
        return told | {"published_date": "2026-01-02"}

    def form(self, results: Sequence[Mapping[str, Any]]) -> Any:
        return {
            "query": "?",
            "answer": None,
            "images": [],
            "results": results,
            "response_time": 1.2,
            "request_id": "123e4567",
        }


class ExaStandIn(SearchServiceStandIn):
    path, method = "/search", "POST"

    def searcher(self, client: AsyncClient) -> WebSearcher:
        return ExaWebSearcher(client=client, key=KEY, base_url=self.base_url)

    def text(self, request: Request) -> str:
        body = request.get_json()
        assert 1 <= body["numResults"] <= 100
        return str(body["query"])

    def has_key(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == KEY

    def result(self, hit: SearchHit) -> dict[str, Any]:
        return {
            "id": hit.url,
            "title": hit.title,
            "url": hit.url,
            "publishedDate": "2026-01-02T03:04:05.678Z",
            "author": None,
            "highlights": [hit.snippet],
            "highlightScores": [0.46],
        }

    def form(self, results: Sequence[Mapping[str, Any]]) -> Any:
        return {
            "requestId": "b5947044",
            "resolvedSearchType": "neural",
            "results": results,
            "costDollars": {"total": 0.005},
        }


STAND_INS: Sequence[type[SearchServiceStandIn]] = (SearxngStandIn, BraveStandIn, TavilyStandIn, ExaStandIn)
