"""Web search and fetch as the settings wire them, against servers of this machine."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cortex_domain.tool_execution import ToolCall, ToolEffect, ToolFinished, ToolJson, ToolText
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_entrypoints import Settings, SettingsError, open_cortex
from cortex_entrypoints.container import build_container, web_tools

LET = ToolTerms(policies=(ToolPolicy(tools={"web_search": ToolPermission.ALLOW}),))


@pytest.fixture
def web() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        result = {"title": "The sea", "url": server.url_for("/sea"), "content": "All about it."}
        server.expect_request("/search").respond_with_json({"results": [result], "unresponsive_engines": []})
        server.expect_request("/sea").respond_with_data("<h1>Tides</h1><p>Twice a day.</p>", content_type="text/html")
        yield server


@pytest.fixture
def no_ddgs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_tools, "is_ddgs_installed", lambda: False)


def settings(**values: Any) -> Settings:
    return Settings(default_model="fake/echo", enable_web_search=True, **values)


async def result(given: Settings, name: str, **arguments: str) -> ToolFinished:
    async with open_cortex(given) as cortex:
        call = ToolCall(id="c1", name=name, arguments=arguments)
        async with cortex.execute_tools([call], LET) as events:
            finished = [event async for event in events][-1]
    assert isinstance(finished, ToolFinished)
    return finished


async def listed(given: Settings) -> dict[str, frozenset[ToolEffect]]:
    container = build_container(given)
    tools = await container.cortex().tool_provider.list_tools()
    return {tool.name: tool.effects for tool in tools}


async def test_without_the_setting_there_is_nothing() -> None:
    assert await listed(Settings(default_model="fake/echo", searxng_url="http://127.0.0.1:1")) == {}


async def test_a_search_and_the_page_that_it_found(web: HTTPServer) -> None:
    given = settings(
        searxng_url=web.url_for(""),
        web_search_providers=("searxng",),
        web_fetch_allowed_hosts=(f"127.0.0.1:{web.port}",),
    )
    search = await result(given, "web_search", query="the sea")
    (found,) = search.content
    assert isinstance(found, ToolJson)
    assert found.value["results"][0]["url"] == web.url_for("/sea")
    fetch = await result(given, "fetch_page", url=web.url_for("/sea"))
    (page,) = fetch.content
    assert isinstance(page, ToolText)
    assert page.text.endswith("# Tides\n\nTwice a day.")
    assert {search.is_trusted, fetch.is_trusted} == {False}


async def test_nothing_local_is_fetched_that_is_not_allowed(web: HTTPServer) -> None:
    given = settings(searxng_url=web.url_for(""), web_fetch_allowed_hosts=("127.0.0.1:1", "wiki.internal"))
    finished = await result(given, "fetch_page", url=web.url_for("/sea"))
    assert finished.error is not None
    assert finished.error.code == "address_refused"
    assert web.log == []


async def test_a_search_that_fails_tells_the_model_why(web: HTTPServer) -> None:
    web.clear()
    web.expect_request("/search").respond_with_data("slow down", status=429)
    given = settings(searxng_url=web.url_for(""), web_search_providers=("searxng",))
    finished = await result(given, "web_search", query="the sea")
    assert finished.error is not None
    assert (finished.error.code, finished.attempts) == ("rate_limited", 1)


@pytest.mark.usefixtures("no_ddgs")
@pytest.mark.parametrize(
    ("given", "services", "is_paid"),
    [
        ({"searxng_url": "http://a"}, ("searxng",), False),
        ({"exa_api_key": "k", "searxng_url": "http://a", "brave_api_key": "k"}, ("searxng", "brave", "exa"), True),
        (
            {"exa_api_key": "k", "searxng_url": "http://a", "web_search_providers": ("exa", "searxng", "exa")},
            ("exa", "searxng"),
            True,
        ),
        ({"tavily_api_key": "k", "searxng_url": "http://a", "web_search_providers": ("searxng",)}, ("searxng",), False),
        ({"tavily_api_key": "k"}, ("tavily",), True),
    ],
)
async def test_services_have_an_order(given: dict[str, Any], services: tuple[str, ...], is_paid: bool) -> None:
    assert web_tools.search_services(settings(**given)) == services
    tools = await listed(settings(**given))
    assert list(tools) == ["web_search", "fetch_page"]
    assert (ToolEffect.SPENDS in tools["web_search"]) == is_paid


async def test_ddgs_comes_last_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_tools, "is_ddgs_installed", lambda: True)
    assert web_tools.search_services(settings()) == ("ddgs",)
    assert web_tools.search_services(settings(brave_api_key="k")) == ("brave", "ddgs")
    assert list(await listed(settings())) == ["web_search", "fetch_page"]


@pytest.mark.usefixtures("no_ddgs")
async def test_without_a_service_pages_are_fetched_only_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        container = build_container(settings())
        assert [tool.name for tool in await container.cortex().tool_provider.list_tools()] == ["fetch_page"]
    assert "SEARXNG_URL" in caplog.text
    assert "web_search" not in container.cortex().features


@pytest.mark.usefixtures("no_ddgs")
@pytest.mark.parametrize("name", ["searxng", "brave", "tavily", "exa", "ddgs"])
def test_a_service_that_cannot_be_used_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"names {name}, which needs ") as caught:
        build_container(settings(web_search_providers=(name,))).cortex()
    assert caught.value.variable == "WEB_SEARCH_PROVIDERS"


async def test_the_page_of_a_feature_that_is_there_is_true(web: HTTPServer) -> None:
    container = build_container(settings(searxng_url=web.url_for("")))
    assert "web_search" in container.cortex().features


@pytest.mark.parametrize(
    ("stated", "name", "port"),
    [
        ("wiki.internal", "wiki.internal", None),
        ("wiki.internal:8080", "wiki.internal", 8080),
        ("10.0.0.7", "10.0.0.7", None),
        ("[::1]", "::1", None),
        ("[::1]:8000", "::1", 8000),
    ],
)
def test_allowed_hosts_are_read(stated: str, name: str, port: int | None) -> None:
    host = web_tools._allowed_host(stated)
    assert (host.name, host.port) == (name, port)


def test_keys_are_in_no_description_of_the_settings() -> None:
    given = settings(brave_api_key="hidden-key", tavily_api_key="hidden-key", exa_api_key="hidden-key")
    assert "hidden-key" not in repr(given)
    assert "hidden-key" not in json.dumps(given.model_dump(mode="json"))
