"""The documentation pages are complete and ask nobody else for anything."""

import re
from pathlib import Path

import pytest

from cortex_entrypoints.http.documentation_pages import ASSETS
from tests.entrypoints.http.live_server import LiveServer

ROOT = Path(__file__).parents[3]
REFERENCE = re.compile(r"""(?:src|href|spec-url|url)\s*[=:]\s*["']([^"']+)["']""")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_all_that_a_page_loads_is_here(server: LiveServer, path: str) -> None:
    page = await server.client.get(path)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    loaded = [reference for reference in REFERENCE.findall(page.text) if reference != "data:,"]
    assert "/openapi.json" in loaded
    assert any(reference.endswith(".js") for reference in loaded)
    for reference in loaded:
        assert reference.startswith("/")
        assert (await server.client.get(reference)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_browser_is_told_to_load_from_here_only(server: LiveServer, path: str) -> None:
    policy = (await server.client.get(path)).headers["Content-Security-Policy"]
    sources = {source for rule in policy.split("; ") for source in rule.split()[1:]}
    assert "default-src 'none'" in policy
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:", "blob:"}
    assert "script-src 'self';" in policy


def test_no_stylesheet_names_another_server() -> None:
    for stylesheet in ASSETS.glob("*.css"):
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", stylesheet.read_text(encoding="utf-8"))


def test_the_validator_of_swagger_is_off() -> None:
    assert "validatorUrl: null" in (ASSETS / "swagger-ui-start.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["redoc.LICENSE.txt", "swagger-ui.LICENSE.txt", "swagger-ui.NOTICE.txt"])
def test_licences_lie_beside_what_they_license(name: str) -> None:
    assert (ASSETS / name).stat().st_size > 0


async def test_the_websocket_protocol_is_served_as_it_is_in_the_repository(server: LiveServer) -> None:
    response = await server.client.get("/docs/websocket.md")
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.text == (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")


async def test_the_description_leads_to_the_websocket_protocol(server: LiveServer) -> None:
    description = (await server.client.get("/openapi.json")).json()["info"]["description"]
    links = re.findall(r"\]\((/[^)]+)\)", description)
    assert links == ["/docs/websocket.md"]


async def test_unchanged_files_are_not_sent_again(server: LiveServer) -> None:
    path = "/docs/assets/redoc.standalone.js"
    first = await server.client.get(path)
    again = await server.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
