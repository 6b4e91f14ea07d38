"""Pages that show the API, from files of this package only.

The content security policy makes the browser hold to that: nothing on these pages can load anything from elsewhere.
"""

from functools import cache
from pathlib import Path, PurePath
from typing import Final

from quart import Blueprint, Response, request

ASSETS: Final = Path(__file__).parent / "assets"

_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
}
_PUBLIC_ASSETS: Final = (
    "pages.css",
    "redoc.standalone.js",
    "swagger-ui-bundle.js",
    "swagger-ui-start.js",
    "swagger-ui.css",
)


def documentation_routes() -> Blueprint:
    """Builds the routes `/docs` and `/redoc` and those of their files."""
    routes = Blueprint("documentation", __name__)

    @routes.get("/docs")
    async def swagger_ui() -> Response:
        return await _page("swagger-ui.html")

    @routes.get("/redoc")
    async def redoc() -> Response:
        return await _page("redoc.html")

    @routes.get("/docs/websocket.md")
    async def websocket_protocol() -> Response:
        return await _file("websocket.md")

    @routes.get(f"/docs/assets/<any({', '.join(map(repr, _PUBLIC_ASSETS))}):name>")
    async def asset(name: str) -> Response:
        return await _file(name)

    return routes


async def _page(name: str) -> Response:
    response = await _file(name)
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return response


async def _file(name: str) -> Response:
    response = Response(_read(name), content_type=_MEDIA_TYPES[PurePath(name).suffix])
    response.headers["Cache-Control"] = "no-cache"  # files of an older release must not outlive it
    await response.add_etag()
    await response.make_conditional(request)
    return response


@cache
def _read(name: str) -> bytes:
    """Reads a file once. From then on no request has one open, which a client that leaves would leave open."""
    return (ASSETS / name).read_bytes()
