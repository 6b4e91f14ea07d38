"""Web search and fetch, by the settings."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from httpx2 import AsyncClient
from pydantic import SecretStr

from cortex_adapters.combined import CachedPageFetcher, CachedWebSearcher, CombinedWebSearcher
from cortex_adapters.python_functions import FunctionToolProvider
from cortex_adapters.system.clock import SystemClock
from cortex_adapters.web_pages import AllowedHost, GuardedNetwork, HttpPageFetcher
from cortex_adapters.web_search import (
    BraveWebSearcher,
    DdgsWebSearcher,
    ExaWebSearcher,
    SearxngWebSearcher,
    TavilyWebSearcher,
    is_ddgs_installed,
)
from cortex_domain.ports import Clock, PageFetcher, ToolProvider, WebSearcher
from cortex_entrypoints.built_in_tools.web import fetch_page_tool, web_search_tool
from cortex_entrypoints.settings import Settings, SettingsError
from cortex_entrypoints.version import installed_version

logger = logging.getLogger(__name__)

HOW_TO_SEARCH = "set SEARXNG_URL, BRAVE_API_KEY, TAVILY_API_KEY or EXA_API_KEY, or pip install 'cortex-platform[ddgs]'"
"""What brings a search service."""

_PAID = frozenset({"brave", "tavily", "exa"})
_NEEDS = {
    "searxng": "SEARXNG_URL",
    "brave": "BRAVE_API_KEY",
    "tavily": "TAVILY_API_KEY",
    "exa": "EXA_API_KEY",
    "ddgs": "pip install 'cortex-platform[ddgs]'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTools:
    """The tools that the settings allow for.

    Attributes:
        provider: Offers them.
        can_search: Whether `web_search` is among them; without a search service pages are fetched only.
        client: Speaks to the search services; to be closed at the end.
    """

    provider: ToolProvider
    can_search: bool
    client: AsyncClient


def build_web_tools(settings: Settings) -> WebTools:
    """Builds `fetch_page`, and `web_search` if there is a service to search by.

    Raises:
        SettingsError: A service is named that cannot be used.
    """
    clock, client = SystemClock(), AsyncClient(headers={"User-Agent": _user_agent()})
    names = search_services(settings)
    tools = [fetch_page_tool(_fetcher(settings, clock))]
    if names:
        searcher = _searcher(names, _builders(settings, client), clock)
        tools.insert(0, web_search_tool(searcher, is_paid=not _PAID.isdisjoint(names)))
    else:
        logger.warning(
            "ENABLE_WEB_SEARCH is set, but there is no search service, so pages are fetched only: %s", HOW_TO_SEARCH
        )
    return WebTools(provider=FunctionToolProvider(tools), can_search=bool(names), client=client)


def search_services(settings: Settings) -> Sequence[str]:
    """Names the services that are searched by, the preferred first; there may be none.

    Raises:
        SettingsError: One is named that cannot be used.
    """
    usable = _usable(settings)
    for name in settings.web_search_providers:
        if name not in usable:
            message = f"WEB_SEARCH_PROVIDERS names {name}, which needs {_NEEDS[name]}."
            raise SettingsError(message, variable="WEB_SEARCH_PROVIDERS")
    return tuple(dict.fromkeys(settings.web_search_providers)) or tuple(name for name in _NEEDS if name in usable)


def _usable(settings: Settings) -> Collection[str]:
    told = {
        "searxng": settings.searxng_url,
        "brave": settings.brave_api_key,
        "tavily": settings.tavily_api_key,
        "exa": settings.exa_api_key,
        "ddgs": is_ddgs_installed() or None,
    }
    return {name for name, value in told.items() if value is not None}


def _builders(settings: Settings, client: AsyncClient) -> Mapping[str, Callable[[], WebSearcher]]:
    return {
        "searxng": lambda: SearxngWebSearcher(client=client, base_url=settings.searxng_url or ""),
        "brave": lambda: BraveWebSearcher(client=client, key=_told(settings.brave_api_key)),
        "tavily": lambda: TavilyWebSearcher(client=client, key=_told(settings.tavily_api_key)),
        "exa": lambda: ExaWebSearcher(client=client, key=_told(settings.exa_api_key)),
        "ddgs": DdgsWebSearcher,
    }


def _told(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _searcher(names: Sequence[str], builders: Mapping[str, Callable[[], WebSearcher]], clock: Clock) -> WebSearcher:
    combined = CombinedWebSearcher({name: builders[name]() for name in names}, clock=clock)
    return CachedWebSearcher(combined, clock=clock)


def _fetcher(settings: Settings, clock: Clock) -> PageFetcher:
    network = GuardedNetwork(allowed=[_allowed_host(host) for host in settings.web_fetch_allowed_hosts])
    return CachedPageFetcher(HttpPageFetcher(network=network, user_agent=_user_agent()), clock=clock)


def _allowed_host(stated: str) -> AllowedHost:
    """Reads `name`, `name:port` or `[address]:port`."""
    name, _, port = stated.rpartition(":") if stated.rpartition(":")[2].isdigit() else (stated, "", "")
    return AllowedHost(name=name.strip("[]"), port=int(port) if port else None)


def _user_agent() -> str:
    return f"Cortex/{installed_version()}"
