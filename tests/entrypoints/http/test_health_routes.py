"""What the server says of itself."""

from cortex_entrypoints.version import installed_version
from tests.entrypoints.http.live_server import HELLO, LiveServer, live_server


async def test_welcome_leads_on(server: LiveServer) -> None:
    body = (await server.client.get("/")).json()
    assert body["name"] == "Cortex"
    for name in set(body["links"]) - {"chat", "chat_stream", "chat_websocket"}:
        assert (await server.client.get(body["links"][name])).status_code == 200, name


async def test_healthy(server: LiveServer) -> None:
    await server.client.post("/api/chat/completions", json=HELLO)
    response = await server.client.get("/api/health")
    assert response.status_code == 200
    body = response.json()
    assert body.pop("uptime_s") > 0
    body.pop("version")
    assert body == {
        "status": "ok",
        "reason": None,
        "environment": "development",
        "device": "cpu",
        "loaded_models": ["fake/echo"],
        "memory": {"active_bytes": 1_000_000, "peak_bytes": 1_000_000},
        "active_requests": 0,
        "waiting_requests": 0,
        "default_model": {"id": "fake/echo", "state": "unknown", "reason": None},
        "features": {
            name: {"requested": False, "available": False}
            for name in ("web_search", "code_execution", "file_operations", "agents")
        },
    }


async def test_features_that_were_asked_for() -> None:
    async with live_server(enable_agents=True) as server:
        features = (await server.client.get("/api/health")).json()["features"]
    assert features["agents"] == {"requested": True, "available": False}
    assert features["web_search"] == {"requested": False, "available": False}


async def test_unhealthy(server: LiveServer) -> None:
    server.adapters.monitor.failure = "The engine ended: out of memory."
    response = await server.client.get("/api/health")
    assert response.status_code == 503
    assert response.json()["status"] == "failed"
    assert response.json()["reason"] == "The engine ended: out of memory."


async def test_the_version_is_that_of_the_package(server: LiveServer) -> None:
    assert (await server.client.get("/")).json()["version"] == installed_version()
