"""Pages that show the API, from files of this package only.

The content security policy makes the browser hold to that: nothing on these pages can load anything from elsewhere.
"""

from pathlib import Path
from typing import Final

from quart import Blueprint, Response, send_from_directory

ASSETS: Final = Path(__file__).parent / "assets"

_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_PUBLIC_ASSETS: Final = frozenset(
    {"swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-start.js", "redoc.standalone.js", "pages.css"}
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
        return Response((ASSETS / "websocket.md").read_bytes(), content_type="text/markdown; charset=utf-8")

    @routes.get(f"/docs/assets/<any({', '.join(map(repr, sorted(_PUBLIC_ASSETS)))}):name>")
    async def asset(name: str) -> Response:
        return await _file(name)

    return routes


async def _page(name: str) -> Response:
    response = await _file(name)
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return response


async def _file(name: str) -> Response:
    response = await send_from_directory(ASSETS, name)
    response.headers["Cache-Control"] = "no-cache"  # files of an older release must not outlive it
    return response
