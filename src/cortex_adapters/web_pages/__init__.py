"""Pages of the public web, over HTTP."""

from cortex_adapters.web_pages.guarded_network import AllowedHost, GuardedNetwork
from cortex_adapters.web_pages.page_fetcher import FetchLimits, HttpPageFetcher

__all__ = ["AllowedHost", "FetchLimits", "GuardedNetwork", "HttpPageFetcher"]
