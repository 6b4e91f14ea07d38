"""Models over HTTP, through a real socket."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.fake import FakeModelLoader, FakeModelStore, ScriptedPull
from cortex_adapters.fake.text_generator import HONOURED
from cortex_domain.errors import (
    InsufficientStorageError,
    InvalidRequestError,
    ModelAccessDeniedError,
    ModelDownloadError,
)
from cortex_domain.language_models import MODEL_ID_PATTERN, ModelDescriptor, ModelId, ModelState, parse_model_id
from cortex_entrypoints.http.compatibility.manifest import manifest_of
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.sse import parse_frames

SPELLINGS = pytest.mark.parametrize("spelling", ["fake/echo", "fake%2Fecho", "fake__echo", "echo"])
ODD_ID = ModelId("my__org/my__model")


async def test_lists_models(server: LiveServer) -> None:
    body = (await server.client.get("/api/models")).json()
    assert set(body) == {"models", "default_model"}
    assert body["default_model"] == "fake/echo"
    assert [model["id"] for model in body["models"]] == ["fake/echo", "fake/parrot"]
    assert body["models"][0] == {
        "id": "fake/echo",
        "aliases": ["echo"],
        "state": "downloaded",
        "size_bytes": 1_000_000,
        "memory_bytes": None,
        "kv_cache_bytes_per_token": None,
        "memory_estimate": {
            "weights_bytes": 1_000_000,
            "kv_cache_bytes_per_token": 100,
            "full_window_bytes": 1_409_600,
        },
        "context_window": 4096,
        "lora_weights": None,
        "kv_cache_bits": None,
        "draft_model": None,
        "quantization": None,
        "capabilities": sorted(HONOURED),
        "residency": None,
        "description": "Says the last message of the user again",
        "dialects": list(manifest_of(frozenset(HONOURED))),
    }


@SPELLINGS
async def test_describes_loads_and_unloads_under_every_spelling(server: LiveServer, spelling: str) -> None:
    path = f"/api/models/{spelling}"
    states = [
        (await server.client.get(path)).json()["state"],
        (await server.client.post(f"{path}/load")).json()["state"],
        (await server.client.get(path)).json()["state"],
        (await server.client.post(f"{path}/unload")).json()["state"],
    ]
    assert states == ["downloaded", "loaded", "loaded", "downloaded"]


async def test_loading_tells_the_memory(server: LiveServer) -> None:
    loaded = (await server.client.post("/api/models/echo/load")).json()
    assert loaded["id"] == "fake/echo"
    assert loaded["memory_bytes"] == 1_000_000


async def test_a_load_says_how_long_the_model_stays(server: LiveServer) -> None:
    loaded = (await server.client.post("/api/models/echo/load", json={"keep_alive_s": 60, "pinned": True})).json()
    residency = loaded["residency"]
    assert (residency["pinned"], residency["keep_alive_s"], residency["active_requests"]) == (True, 60, 0)
    assert residency["expires_s"] is None
    loaded = (await server.client.post("/api/models/echo/load", json={"pinned": False})).json()
    assert loaded["residency"]["expires_s"] == loaded["residency"]["last_used_s"] + 60
    await server.client.post("/api/chat/completions", json=HELLO | {"keep_alive_s": 7.5})
    described = (await server.client.get("/api/models/echo")).json()
    assert described["residency"]["keep_alive_s"] == 7.5


@pytest.mark.parametrize(
    ("body", "parameter"),
    [({"keep_alive_s": -1}, "keep_alive_s"), ({"pinned": 1}, "pinned"), ({"keepalive": 1}, "keepalive")],
)
async def test_a_bad_load_body_is_refused_by_name(server: LiveServer, body: object, parameter: str) -> None:
    response = await server.client.post("/api/models/echo/load", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, parameter)
    assert (await server.client.get("/api/models/echo")).json()["state"] == "downloaded"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_an_empty_load_body_needs_no_type(server: LiveServer, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert (await server.client.post("/api/models/echo/load", headers=headers)).json()["state"] == "loaded"
    response = await server.client.post("/api/models/echo/load", headers=headers, content=b'{"pinned": true}')
    assert response.status_code == (200 if content_type == "application/json" else 415)


async def test_a_model_that_does_not_fit_is_refused_with_both_sizes() -> None:
    adapters = FakeAdapters(loader=FakeModelLoader(memory_limit_bytes=999_999))
    async with live_server(adapters=adapters) as server:
        response = await server.client.post("/api/models/echo/load")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "insufficient_memory")
    assert (error["details"]["required_bytes"], error["details"]["available_bytes"]) == (1_000_000, 999_999)


@pytest.mark.parametrize("spelling", ["my__org/my__model", "my__org__my__model", "my__org%2Fmy__model"])
async def test_an_id_that_has_underscores_of_its_own(spelling: str) -> None:
    odd = ModelDescriptor(id=ODD_ID, state=ModelState.DOWNLOADED, size_bytes=5)
    async with live_server(adapters=FakeAdapters(store=FakeModelStore([odd]))) as server:
        assert (await server.client.get(f"/api/models/{spelling}")).json()["id"] == ODD_ID


@SPELLINGS
async def test_deletes(server: LiveServer, spelling: str) -> None:
    response = await server.client.delete(f"/api/models/{spelling}")
    assert response.status_code == 204
    assert response.content == b""
    assert "Content-Type" not in response.headers
    assert (await server.client.get("/api/models/fake/echo")).json()["state"] == "available"


async def test_does_not_delete_what_is_loaded(server: LiveServer) -> None:
    await server.client.post("/api/models/fake/echo/load")
    response = await server.client.delete("/api/models/fake/echo")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "model_in_use")


@pytest.mark.parametrize("spelling", ["fake/parrot", "fake__parrot"])
async def test_pulls(server: LiveServer, spelling: str) -> None:
    response = await server.client.post(f"/api/models/{spelling}/pull")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    frames = parse_frames(response.text)
    assert [frame.event for frame in frames] == ["started", *["progress"] * 4, "done"]
    assert [frame.sequence for frame in frames] == list(range(6))
    assert frames[-1].data == {"type": "done", "model": "fake/parrot", "revision": None, "size_bytes": 4_000_000}
    assert (await server.client.get("/api/models/fake/parrot")).json()["state"] == "downloaded"


async def test_pulls_what_is_not_listed() -> None:
    unlisted = ModelDescriptor(id=ModelId("some/thing"), state=ModelState.AVAILABLE, size_bytes=8)
    async with live_server(adapters=FakeAdapters(store=FakeModelStore([], unlisted=[unlisted]))) as server:
        frames = parse_frames((await server.client.post("/api/models/some__thing/pull")).text)
    assert frames[-1].data["model"] == "some/thing"


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (ModelAccessDeniedError(model_id="fake/parrot"), 403),
        (InsufficientStorageError(model_id="fake/parrot", required_bytes=9, available_bytes=1), 507),
        (ModelDownloadError("The hub is down.", model_id="fake/parrot", retry_after_s=30), 502),
    ],
)
async def test_a_pull_that_is_refused_is_a_status(refusal: Exception, status: int) -> None:
    store = FakeModelStore(pulls={ModelId("fake/parrot"): ScriptedPull(refusal=refusal)})  # type: ignore[arg-type]
    async with live_server(adapters=FakeAdapters(store=store)) as server:
        response = await server.client.post("/api/models/fake/parrot/pull")
    assert response.status_code == status
    assert response.headers.get("Retry-After") == ("30" if status == 502 else None)


async def test_a_pull_that_fails_ends_with_an_error_and_goes_on_later() -> None:
    failing = ScriptedPull(failure=ModelDownloadError("The hub went away.", model_id="fake/parrot"))
    store = FakeModelStore(pulls={ModelId("fake/parrot"): failing})
    async with live_server(adapters=FakeAdapters(store=store)) as server:
        frames = parse_frames((await server.client.post("/api/models/fake/parrot/pull")).text)
        assert (await server.client.get("/api/models/fake/parrot")).json()["state"] == "available"
    assert [frame.event for frame in frames] == ["started", "progress", "error"]
    assert frames[-1].data["error"]["code"] == "model_download_failed"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/models/no/such", 404, "model_not_found"),
        ("POST", "/api/models/no/such/load", 404, "model_not_found"),
        ("POST", "/api/models/no__such/unload", 404, "model_not_found"),
        ("POST", "/api/models/no/such/pull", 404, "model_not_found"),
        ("DELETE", "/api/models/nosuch", 404, "model_not_found"),
        ("POST", "/api/models/fake/parrot/load", 409, "model_not_downloaded"),
        ("GET", "/api/models/..%2f..%2fetc%2fpasswd", 404, "route_not_found"),
        ("GET", "/api/models/..%2fpasswd", 400, "invalid_request"),
        ("GET", "/api/models/a//b", 404, "route_not_found"),
        ("GET", "/api/models/fake/echo/load", 405, "method_not_allowed"),
        ("GET", "/api/models/echo/pull", 405, "method_not_allowed"),
        ("GET", "/api/models/some__load", 404, "model_not_found"),
        ("GET", "/api/models/a%00b", 400, "invalid_request"),
        ("GET", "/api/models/%ff%fe", 400, "invalid_request"),
        ("GET", "/api/models/____", 404, "model_not_found"),
        ("POST", "/api/models/a/b/c/pull", 404, "route_not_found"),
        ("DELETE", "/api/models/" + "x" * 500, 400, "invalid_request"),
    ],
)
async def test_names_that_name_nothing(server: LiveServer, method: str, path: str, status: int, code: str) -> None:
    response = await server.client.request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@given(st.text(max_size=5) | st.from_regex(r"[A-Za-z0-9_.-]{1,3}(/[A-Za-z0-9_.-]{1,3})?", fullmatch=True))
def test_the_pattern_of_names_is_that_of_the_domain(text: str) -> None:
    try:
        parse_model_id(text)
    except InvalidRequestError:
        assert not re.search(MODEL_ID_PATTERN.replace("$", r"\Z"), text)
    else:
        assert re.search(MODEL_ID_PATTERN, text)


async def test_unloading_ends_the_answers_of_that_model(server: LiveServer) -> None:
    words = "word " * 2000
    body = {"messages": [{"role": "user", "content": words}]}
    async with server.client.stream("POST", "/api/chat/completions/stream", json=body) as response:
        lines = response.aiter_lines()
        await anext(lines)
        await server.client.post("/api/models/fake/echo/unload")
        events = [line async for line in lines if line.startswith("event: ")]
    assert events[-1] == "event: error"
    await server.until_idle()
    assert (await server.client.post("/api/chat/completions", json=HELLO)).status_code == 200


async def test_a_model_is_loaded_with_options_and_tells_them(server: LiveServer) -> None:
    options = {"kv_cache_bits": 8, "draft_model": "echo"}
    loaded = await server.client.post("/api/models/echo/load", json=options)
    assert loaded.status_code == 200
    shown = (await server.client.get("/api/models/echo")).json()
    assert (shown["kv_cache_bits"], shown["draft_model"]) == (8, "fake/echo")
    other = await server.client.post("/api/models/echo/load", json={"kv_cache_bits": 4})
    assert (other.status_code, other.json()["error"]["details"]) == (
        409,
        {"model_id": "fake/echo", "options": ["draft_model", "kv_cache_bits"]},
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kv_cache_bits": 16}, 400, "invalid_request"),
        ({"kv_cache_bits": "8"}, 400, "invalid_request"),
        ({"kv_cache_bits": True}, 400, "invalid_request"),
        ({"draft_model": "fake/nobody"}, 404, "model_not_found"),
        ({"draft_model": "../up"}, 400, "invalid_request"),
        ({"draft_model": "fake/parrot"}, 409, "model_not_downloaded"),
    ],
)
async def test_options_that_are_none_are_refused(server: LiveServer, body: object, status: int, code: str) -> None:
    response = await server.client.post("/api/models/echo/load", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert (await server.client.get("/api/models/echo")).json()["state"] == "downloaded"
