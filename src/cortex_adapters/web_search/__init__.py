"""Search services of the web, a module each."""

from cortex_adapters.web_search.brave import BraveWebSearcher
from cortex_adapters.web_search.ddgs import DdgsWebSearcher, is_ddgs_installed
from cortex_adapters.web_search.exa import ExaWebSearcher
from cortex_adapters.web_search.searxng import SearxngWebSearcher
from cortex_adapters.web_search.tavily import TavilyWebSearcher

__all__ = [
    "BraveWebSearcher",
    "DdgsWebSearcher",
    "ExaWebSearcher",
    "SearxngWebSearcher",
    "TavilyWebSearcher",
    "is_ddgs_installed",
]
