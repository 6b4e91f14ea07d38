"""A stream that was cut goes on without a gap and without a double, for a while, and can be cancelled by its id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cortex_adapters.fake import ScriptedReply
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.events import GenerationEvent, GenerationStarted, TextDelta
from cortex_domain.generation import GenerationRequest
from cortex_entrypoints.http import generations as generations_module
from tests.entrypoints.http.door_generator import DoorGenerator
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.sse import Frame, parse_frames
from tests.entrypoints.http.stream_client import (
    STREAM,
    Leave,
    close,
    events_path,
    half_close,
    read_cut,
    read_on,
    reset,
    send_chat,
)

WORDS = tuple(f"word{number} " for number in range(6))
SLOW = ScriptedReply(pieces=WORDS, delay_s=0.01)
ENDLESS = ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.001)
FRAMES = 1 + 2 + len(WORDS) + 1
ANYHOW = pytest.mark.parametrize("leave", [close, reset, half_close])


def _text(frames: list[Frame]) -> str:
    return "".join(frame.data["text"] for frame in frames if frame.event == "text_delta")


def _without_times(frames: list[Frame]) -> list[Any]:
    return [
        (frame.sequence, {**frame.data, "generation_id": None, "created_s": 0, "timings": None}) for frame in frames
    ]


@ANYHOW
async def test_a_stream_goes_on_wherever_it_was_cut(leave: Leave) -> None:
    async with live_server(adapters=FakeAdapters(script=[SLOW] * 20)) as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        assert len(whole) == FRAMES
        for cut_after in range(1, FRAMES):
            seen = await read_cut(server, cut_after, leave)
            seen += await read_on(server, seen[0].data["generation_id"], seen[-1].sequence)
            assert _without_times(seen) == _without_times(whole)


async def test_a_stream_goes_on_after_any_number_of_cuts() -> None:
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply(pieces=WORDS, delay_s=0.05)])) as server:
        seen = await read_cut(server, 1, reset)
        path = events_path(seen[0].data["generation_id"])
        while seen[-1].event != "done":
            headers = {"Last-Event-ID": str(seen[-1].sequence)}
            async with server.client.stream("GET", path, headers=headers) as response:
                async for data in response.aiter_text():
                    seen += parse_frames(data)
                    break
        await server.until_idle()
    assert [frame.sequence for frame in seen] == list(range(FRAMES))
    assert _text(seen) == "".join(WORDS)


async def test_what_was_finished_is_replayed_from_any_event() -> None:
    async with live_server() as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        generation_id = whole[0].data["generation_id"]
        assert await read_on(server, generation_id, None) == whole
        for frame in whole[:-1]:
            assert await read_on(server, generation_id, frame.sequence) == whole[frame.sequence + 1 :]


async def test_nothing_follows_the_last_event() -> None:
    async with live_server() as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        path = events_path(whole[0].data["generation_id"])
        ended = await server.client.get(path, headers={"Last-Event-ID": str(whole[-1].sequence)})
        assert (ended.status_code, ended.content) == (204, b"")
        beyond = await server.client.get(path, headers={"Last-Event-ID": str(whole[-1].sequence + 1)})
        assert (beyond.status_code, beyond.json()["error"]["code"]) == (400, "unknown_event")


async def test_the_query_says_it_too_and_the_header_wins() -> None:
    async with live_server() as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        path = events_path(whole[0].data["generation_id"])
        by_query = await server.client.get(path, params={"last_event_id": "3"})
        assert parse_frames(by_query.text) == whole[4:]
        by_both = await server.client.get(path, params={"last_event_id": "3"}, headers={"Last-Event-ID": "1"})
        assert parse_frames(by_both.text) == whole[2:]
        by_nothing = await server.client.get(path, headers={"Last-Event-ID": ""})
        assert parse_frames(by_nothing.text) == whole


@pytest.mark.parametrize("written", ["x", "-1", "1.0", "01", "+1", "1 2", "9" * 30])
async def test_what_is_no_event_id_is_refused(server: LiveServer, written: str) -> None:
    refused = await server.client.get(events_path("gen_1"), headers={"Last-Event-ID": written})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "Last-Event-ID"


async def test_an_unknown_generation_is_not_found(server: LiveServer) -> None:
    for response in (
        await server.client.get(events_path("gen_unknown")),
        await server.client.delete("/api/generations/gen_unknown"),
    ):
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "generation_not_found"


async def test_asking_for_the_head_alone_has_nothing_go_on() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server:
        seen = await read_cut(server, 2, reset)
        refused = await server.client.head(events_path(seen[0].data["generation_id"]))
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")
        assert server.adapters.fake_generator.suspended_generations == 1


async def test_two_read_one_generation() -> None:
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply(pieces=WORDS, delay_s=0.02)])) as server:
        async with server.client.stream("POST", STREAM, json=HELLO) as first:
            data = first.aiter_text()
            seen = parse_frames(await anext(data))
            beside = asyncio.create_task(read_on(server, seen[0].data["generation_id"], None))
            async for more in data:
                seen += parse_frames(more)
        assert await beside == seen
    assert _text(seen) == "".join(WORDS)


async def test_one_of_two_leaves_and_the_other_reads_on() -> None:
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply(pieces=WORDS, delay_s=0.05)])) as server:
        async with server.client.stream("POST", STREAM, json=HELLO) as first:
            seen = parse_frames(await anext(first.aiter_text()))
            beside = asyncio.create_task(read_on(server, seen[0].data["generation_id"], None))
            await asyncio.sleep(0.05)
        assert _text(await beside) == "".join(WORDS)


@pytest.mark.parametrize("pieces_read", [1, 3, 5])
async def test_cancelling_frees_the_place_and_tells_the_readers(pieces_read: int) -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server:
        async with server.client.stream("POST", STREAM, json=HELLO) as response:
            data = response.aiter_text()
            seen = parse_frames(await anext(data))
            generation_id = seen[0].data["generation_id"]
            while len(seen) < pieces_read:
                seen += parse_frames(await anext(data))
            assert (await server.client.delete(f"/api/generations/{generation_id}")).status_code == 204
            assert server.adapters.monitor.status().active_requests == 0
            async for more in data:
                seen += parse_frames(more)
        assert (seen[-1].event, seen[-1].data["finish_reason"]) == ("done", "cancelled")
        assert [frame.sequence for frame in seen] == list(range(len(seen)))
        assert await read_on(server, generation_id, None) == seen
        assert (await server.client.delete(f"/api/generations/{generation_id}")).status_code == 204


async def test_cancelling_what_is_suspended_ends_it() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS])) as server:
        seen = await read_cut(server, 2, reset)
        generation_id = seen[0].data["generation_id"]
        assert server.adapters.fake_generator.suspended_generations == 1
        assert (await server.client.delete(f"/api/generations/{generation_id}")).status_code == 204
        assert server.adapters.fake_generator.suspended_generations == 0
        rest = await read_on(server, generation_id, 1)
    assert rest[-1].data["finish_reason"] == "cancelled"


async def test_cancelling_what_has_ended_changes_nothing() -> None:
    async with live_server() as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        generation_id = whole[0].data["generation_id"]
        assert (await server.client.delete(f"/api/generations/{generation_id}")).status_code == 204
        assert await read_on(server, generation_id, None) == whole


async def test_a_failure_is_replayed() -> None:
    failing = ScriptedReply(pieces=("one",), failure=GeneratorFailedError("The engine failed."))
    async with live_server(adapters=FakeAdapters(script=[failing])) as server:
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        assert whole[-1].event == "error"
        assert await read_on(server, whole[0].data["generation_id"], None) == whole


async def test_a_suspended_generation_is_forgotten_in_time() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS]), resume_for_s=0.2) as server:
        seen = await read_cut(server, 2, reset)
        async with asyncio.timeout(20):
            while server.adapters.fake_generator.suspended_generations:
                await asyncio.sleep(0.01)
        assert (await server.client.get(events_path(seen[0].data["generation_id"]))).status_code == 404


async def test_nothing_is_kept_where_the_settings_say_so() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS, "short"]), resume_for_s=0) as server:
        seen = await read_cut(server, 2, reset)
        assert server.adapters.fake_generator.suspended_generations == 0
        assert (await server.client.get(events_path(seen[0].data["generation_id"]))).status_code == 404
        whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
        assert (await server.client.get(events_path(whole[0].data["generation_id"]))).status_code == 404


async def test_only_so_many_are_kept_and_what_ended_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations_module, "MAX_KEPT_GENERATIONS", 2)
    async with live_server(adapters=FakeAdapters(script=[ENDLESS, "a", "b", ENDLESS, ENDLESS])) as server:
        ids = [(await read_cut(server, 2, reset))[0].data["generation_id"]]
        for _ in range(2):
            whole = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
            ids.append(whole[0].data["generation_id"])
        ids.append((await read_cut(server, 2, reset))[0].data["generation_id"])
        assert server.adapters.fake_generator.suspended_generations == 2
        ids.append((await read_cut(server, 2, reset))[0].data["generation_id"])
        assert server.adapters.fake_generator.suspended_generations == 2
        statuses = [(await server.client.delete(f"/api/generations/{name}")).status_code for name in ids]
    assert statuses == [404, 404, 404, 204, 204]


async def test_a_model_that_was_unloaded_meanwhile_is_loaded_again() -> None:
    async with live_server(adapters=FakeAdapters(script=[SLOW])) as server:
        seen = await read_cut(server, 4, reset)
        await server.client.post("/api/models/fake/echo/unload")
        seen += await read_on(server, seen[0].data["generation_id"], seen[-1].sequence)
    assert _text(seen) == "".join(WORDS)


async def test_a_generator_that_cannot_suspend_ends_with_its_reader() -> None:
    generator = DoorGenerator(endless=True)
    generator.opens.set()
    async with live_server(adapters=FakeAdapters(generator=generator)) as server:
        async with server.client.stream("POST", STREAM, json=HELLO) as response:
            generation_id = parse_frames((await anext(response.aiter_text())).partition("\n\n")[0] + "\n\n")[0].data[
                "generation_id"
            ]
        await generator.until_left()
        assert (await server.client.get(events_path(generation_id))).status_code == 404


async def test_two_hundred_leave_and_the_engine_is_idle() -> None:
    endless = ScriptedReply(pieces=ENDLESS.pieces, delay_s=0.05)
    async with live_server(adapters=FakeAdapters(script=[endless] * 200)) as server:
        connections = [await send_chat(server.port) for _ in range(200)]
        await server.until_busy(200)
        for number, connection in enumerate(connections):
            (close, reset, half_close)[number % 3](connection)
        await server.until_idle()
        for connection in connections:
            connection.close()
        assert (await server.client.get("/api/health")).json()["active_requests"] == 0


async def test_a_stopping_server_refuses_to_go_on_and_stops() -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 2)) as server:
        seen = await read_cut(server, 2, reset)
        holding = await send_chat(server.port)
        await server.until_busy()
        server.stop.set()
        await server.until_draining()
        refused = await server.client.get(events_path(seen[0].data["generation_id"]))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
        holding.close()
        await server.ended
        assert server.adapters.fake_generator.suspended_generations == 0


async def test_leaving_in_the_midst_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 6)) as server:
        for leave in (close, reset, half_close) * 2:
            await read_cut(server, 3, leave)
    assert _noise(caplog) == []


async def test_many_who_leave_at_once_make_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """They are written to until it is known that they have left; asyncio would say so for each write."""
    async with live_server(adapters=FakeAdapters(script=[ENDLESS] * 60)) as server:
        connections = [await send_chat(server.port) for _ in range(60)]
        await server.until_busy(60)
        for connection in connections:
            reset(connection)
        await server.until_idle()
    assert _noise(caplog) == []


class Flood(DoorGenerator):
    """Says large pieces without end and counts them."""

    said = 0

    async def _events(self, request: GenerationRequest) -> AsyncIterator[GenerationEvent]:
        yield GenerationStarted(generation_id=request.generation_id, model=request.model, created_s=0, prompt_tokens=1)
        while True:
            self.said += 1
            yield TextDelta(text="x" * 20_000)


async def test_a_reader_who_stalls_keeps_its_generation_waiting_and_nobody_else() -> None:
    generator = Flood()
    generator.opens.set()
    async with live_server(adapters=FakeAdapters(generator=generator)) as server:
        stalled = await send_chat(server.port)
        said = -1
        while said < generator.said:
            said = generator.said
            assert (await server.client.get("/api/health")).status_code == 200
            await asyncio.sleep(0.2)
        reset(stalled)
        await generator.until_left()


def _noise(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
