"""Serves pages of this server and of the allowed web origins, and no other page.

Browsers add the Origin header to WebSocket handshakes and to every request that could change something or whose answer
a page could read. CORS alone would keep the answer from a foreign page, but the work would be done.
"""

from collections.abc import Iterable

from cortex_entrypoints.http.edge_errors import OriginNotAllowedError


class OriginCheck:
    """Knows the web origins that may call.

    Args:
        allowed_origins: Origins as browsers write them, `scheme://host` or `scheme://host:port`.
    """

    def __init__(self, *, allowed_origins: Iterable[str]) -> None:
        self._allowed = frozenset(allowed_origins)

    def require_allowed(self, origin: str | None, *, host_header: str) -> None:
        """Checks the Origin header of a request whose Host header was checked before.

        Raises:
            OriginNotAllowedError: A page of another origin sent the request.
        """
        own = {f"{scheme}://{host_header.lower()}" for scheme in ("http", "https")}
        if origin is not None and origin not in self._allowed | own:
            raise OriginNotAllowedError(
                "Pages of this web origin may not call this server. If they should, add it to ALLOWED_ORIGINS."
            )
