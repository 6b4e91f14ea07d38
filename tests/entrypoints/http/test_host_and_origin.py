"""Only this server's own names and the pages of allowed origins are served: over HTTP, SSE and WebSocket."""

import json

import httpx2
import pytest
import websockets

from cortex_entrypoints.http.host_check import is_loopback
from tests.entrypoints.http.live_server import HELLO, LiveServer, live_server

FRIEND = "https://friend.example:8443"
PATHS = [
    ("GET", "/"),
    ("GET", "/api/health"),
    ("GET", "/api/models"),
    ("POST", "/api/models/fake/parrot/pull"),
    ("DELETE", "/api/models/fake/parrot"),
    ("POST", "/api/chat/completions"),
    ("POST", "/api/chat/completions/stream"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
]
EVERYWHERE = pytest.mark.parametrize(("method", "path"), PATHS)
FOREIGN_HOSTS = pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:127.0.0.1",
        "localhost@evil.example",
        "192.168.1.5",
        "0.0.0.0",
        "[::2]:8000",
        "[::1].evil.example",
        "",
    ],
)
OWN_HOSTS = ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:9000", "localhost.:8000", "box.lan", "box.lan:8000"]
FOREIGN_ORIGINS = pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://friend.example",
        "http://friend.example:8443",
        "https://friend.example:8443.evil.example",
        "https://sub.friend.example:8443",
        "file://",
        "",
    ],
)


async def _ask(server: LiveServer, method: str, path: str, headers: dict[str, str]) -> httpx2.Response:
    return await server.client.request(method, path, json=HELLO if "chat" in path else None, headers=headers)


@EVERYWHERE
@FOREIGN_HOSTS
async def test_a_foreign_host_is_refused_everywhere(server: LiveServer, method: str, path: str, host: str) -> None:
    response = await _ask(server, method, path, {"Host": host})
    assert (response.status_code, response.json()["error"]["code"]) == (421, "host_not_allowed")


@pytest.mark.parametrize("host", OWN_HOSTS)
async def test_own_hosts_are_served(host: str) -> None:
    async with live_server(allowed_hosts=("box.lan",)) as server:
        assert (await server.client.get("/api/health", headers={"Host": host})).status_code == 200


@EVERYWHERE
@FOREIGN_ORIGINS
async def test_a_foreign_origin_is_refused_everywhere(method: str, path: str, origin: str) -> None:
    async with live_server(allowed_origins=(FRIEND,)) as server:
        response = await _ask(server, method, path, {"Origin": origin})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_not_allowed")
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Origin" in response.headers["Vary"]


@EVERYWHERE
async def test_an_allowed_origin_may_read_every_answer(method: str, path: str) -> None:
    async with live_server(allowed_origins=(FRIEND,)) as server:
        response = await _ask(server, method, path, {"Origin": FRIEND})
        assert response.status_code in (200, 204, 404)
        assert response.headers["Access-Control-Allow-Origin"] == FRIEND
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Origin" in response.headers["Vary"]


async def test_an_allowed_origin_may_read_errors_and_when_to_try_again() -> None:
    async with live_server(allowed_origins=(FRIEND,)) as server:
        response = await server.client.post("/api/chat/completions", content=b"[", headers={"Origin": FRIEND})
    assert response.status_code == 415
    assert response.headers["Access-Control-Allow-Origin"] == FRIEND
    assert response.headers["Access-Control-Expose-Headers"] == "Retry-After, X-Request-Id, Request-Id"


@EVERYWHERE
async def test_pages_of_the_server_itself_are_served(server: LiveServer, method: str, path: str) -> None:
    response = await _ask(server, method, path, {"Origin": server.url})
    assert response.status_code in (200, 204, 404)
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_clients_of_the_dialects_may_say_who_they_are() -> None:
    sent = "authorization, x-api-key, anthropic-version, x-stainless-lang, x-stainless-retry-count"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": sent}
    async with live_server(allowed_origins=(FRIEND,)) as server:
        answer = await server.client.options("/v1/messages", headers={"Origin": FRIEND, **asked})
    allowed = {header.strip() for header in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed == set(sent.split(", "))


async def test_preflight() -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, x-secret"}
    async with live_server(allowed_origins=(FRIEND,)) as server:
        friend = await server.client.options("/api/chat/completions", headers={"Origin": FRIEND, **asked})
        stranger = await server.client.options(
            "/api/chat/completions", headers={"Origin": "https://evil.example", **asked}
        )
    assert friend.status_code == 200
    assert friend.headers["Access-Control-Allow-Origin"] == FRIEND
    assert friend.headers["Access-Control-Allow-Headers"] == "content-type"
    assert {method.strip() for method in friend.headers["Access-Control-Allow-Methods"].split(",")} == {
        "GET",
        "POST",
        "DELETE",
    }
    assert stranger.status_code == 403
    assert not [name for name in stranger.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "host_not_allowed"),
        ({"Host": "localhost", "Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"Host": "localhost", "Origin": "null"}, 403, "origin_not_allowed"),
        ({"Host": "localhost", "Origin": "http://localhost:1"}, 403, "origin_not_allowed"),
    ],
)
async def test_a_foreign_handshake_is_refused(headers: dict[str, str], status: int, code: str) -> None:
    async with live_server(allowed_origins=(FRIEND,)) as server:
        response = await _handshake(server, "/api/chat/ws", headers)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("origin", [FRIEND, None, "own"])
async def test_a_friendly_handshake_is_accepted(origin: str | None) -> None:
    async with live_server(allowed_origins=(FRIEND,)) as server:
        chosen = server.url if origin == "own" else origin
        async with websockets.connect(server.socket_url, origin=chosen, proxy=None) as connection:  # type: ignore[arg-type]
            await connection.send('{"type": "ping"}')
            assert json.loads(await connection.recv()) == {"type": "pong"}


async def test_a_handshake_nowhere_is_a_404(server: LiveServer) -> None:
    response = await _handshake(server, "/api/chat/elsewhere", {"Host": "localhost"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "route_not_found"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("box.lan", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, is_local: bool) -> None:
    assert is_loopback(host) == is_local


async def _handshake(server: LiveServer, path: str, headers: dict[str, str]) -> httpx2.Response:
    """Tries to connect with exactly these headers and returns the refusal."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return await server.client.get(path, headers={**upgrade, **headers})
