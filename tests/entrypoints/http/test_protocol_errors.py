"""Whatever is asked of whatever path, errors are JSON."""

import asyncio

import pytest

from tests.entrypoints.http.live_server import LiveServer, live_server


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route_not_found"),
        ("GET", "/api", 404, "route_not_found"),
        ("GET", "/api/", 404, "route_not_found"),
        ("GET", "/api/models/", 404, "route_not_found"),
        ("GET", "/api//models", 404, "route_not_found"),
        ("POST", "/docs/assets/../../app.py", 404, "route_not_found"),
        ("GET", "/docs/assets/..%2f..%2fapp.py", 404, "route_not_found"),
        ("GET", "/docs/assets/redoc.LICENSE.txt", 404, "route_not_found"),
        ("POST", "/", 405, "method_not_allowed"),
        ("DELETE", "/api/health", 405, "method_not_allowed"),
        ("GET", "/api/chat/completions", 405, "method_not_allowed"),
        ("PUT", "/api/models/fake/echo", 405, "method_not_allowed"),
        ("TRACE", "/api/models", 405, "method_not_allowed"),
        ("GET", "/api/chat/ws", 400, "bad_request"),
    ],
)
async def test_errors_are_json(server: LiveServer, method: str, path: str, status: int, code: str) -> None:
    response = await server.client.request(method, f"{server.url}{path}")
    assert response.headers["Content-Type"] == "application/json"
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("asked", "headers", "status", "error_type"),
    [
        ("POST /v1/messages/batches", {}, 404, "not_found_error"),
        ("GET /v1/messages", {}, 405, "invalid_request_error"),
        ("POST /v1/files", {"anthropic-version": "2023-06-01"}, 404, "not_found_error"),
        ("POST /v1/nowhere", {}, 404, "invalid_request_error"),
        ("GET /v1/chat/completions", {}, 405, "invalid_request_error"),
    ],
)
async def test_errors_below_v1_are_those_of_the_dialect(
    server: LiveServer, asked: str, headers: dict[str, str], status: int, error_type: str
) -> None:
    method, path = asked.split()
    response = await server.client.request(method, path, headers=headers)
    body = response.json()
    assert (response.status_code, body["error"]["type"]) == (status, error_type)
    is_anthropic = "messages" in path or bool(headers)
    assert ("request-id" in response.headers) == (body.get("type") == "error") == is_anthropic
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/models", "/docs"])
async def test_head_and_options(server: LiveServer, path: str) -> None:
    head = await server.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    options = await server.client.options(path)
    assert options.status_code == 200
    assert "GET" in options.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/nowhere", "/docs", "/openapi.json"])
async def test_headers_of_every_answer(server: LiveServer, path: str) -> None:
    response = await server.client.get(path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] in ("no-store", "no-cache")
    assert "Server" not in response.headers


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /api/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(server: LiveServer, request_text: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request_text)
    status_line = await reader.readline()
    assert status_line.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    writer.close()
    assert (await server.client.get("/api/health")).status_code == 200


@pytest.mark.parametrize("head", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_who_does_not_finish_a_request_is_cut_off(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.server.KEEP_ALIVE_S", 0.1)
    async with live_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        assert await reader.read() == b""
        writer.close()


async def test_a_body_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.app.BODY_PATIENCE_S", 0.1)
    monkeypatch.setattr("cortex_entrypoints.http.request_reading.UPLOAD_PATIENCE_S", 0.1)
    async with live_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /api/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        writer.write(b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"request_timeout"' in answer
        writer.close()
