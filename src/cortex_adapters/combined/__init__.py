"""Adapters that are made of other adapters of the same port."""

from cortex_adapters.combined.agent_registry import CombinedAgentRegistry
from cortex_adapters.combined.cached_page_fetcher import CachedPageFetcher
from cortex_adapters.combined.cached_web_searcher import CachedWebSearcher
from cortex_adapters.combined.model_store import CombinedModelStore
from cortex_adapters.combined.tool_provider import CombinedToolProvider
from cortex_adapters.combined.web_searcher import CombinedWebSearcher

__all__ = [
    "CachedPageFetcher",
    "CachedWebSearcher",
    "CombinedAgentRegistry",
    "CombinedModelStore",
    "CombinedToolProvider",
    "CombinedWebSearcher",
]
