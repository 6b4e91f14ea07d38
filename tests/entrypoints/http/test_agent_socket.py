"""Agent runs over WebSocket, through a real socket."""

import asyncio
import json
from typing import Any

import websockets

from cortex_adapters.fake import FakeToolProvider
from tests.entrypoints.http.live_server import live_server
from tests.entrypoints.http.test_agent_run_routes import ENDLESS, RUNS, adapters, calling, start, until


class Connection:
    """A client's end of a connection."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._raw = connection

    async def send(self, **message: Any) -> None:
        await self._raw.send(json.dumps(message))

    async def until(self, *kinds: str) -> list[dict[str, Any]]:
        """Reads up to an event of one of these types."""
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while not events or events[-1]["type"] not in kinds:
                events.append(json.loads(await self._raw.recv()))
        return events


async def test_a_run_is_started_decided_on_and_followed_to_its_end() -> None:
    async with (
        live_server(adapters=adapters(calling("write", text="x"), "Written."), enable_agents=True) as server,
        websockets.connect(server.socket_url, proxy=None) as raw,
    ):
        connection = Connection(raw)
        await connection.send(type="run", request_id="mine", agent="mole", task="Dig.")
        events = await connection.until("approval_requested", "error")
        run_id, call_id = events[0]["run_id"], events[-1]["call_id"]
        edit = {"decision": "edit", "arguments": {"text": "y"}}
        await connection.send(type="decide", run_id=run_id, call_id=call_id, **edit)
        events += await connection.until("run_finished", "error")
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        assert {event["request_id"] for event in events} == {"mine"}
        assert events[-1]["answer"] == "Written."
        assert isinstance(server.adapters.tools, FakeToolProvider)
        assert server.adapters.tools.uses == [("write", {"text": "y"})]


async def test_a_run_is_followed_from_any_event_on_over_another_connection() -> None:
    async with live_server(adapters=adapters(calling("look"), "Done."), enable_agents=True) as server:
        run = await start(server)
        async with websockets.connect(server.socket_url, proxy=None) as raw:
            connection = Connection(raw)
            await connection.send(type="follow", run_id=run["id"], last_sequence=3)
            events = await connection.until("run_finished", "error")
    assert [event["sequence"] for event in events] == list(range(4, run["last_event_id"] + 1))


async def test_a_run_is_cancelled_by_its_request() -> None:
    async with (
        live_server(adapters=adapters(ENDLESS), enable_agents=True) as server,
        websockets.connect(server.socket_url, proxy=None) as raw,
    ):
        connection = Connection(raw)
        await connection.send(type="run", request_id="mine", agent="mole", task="Dig.")
        await connection.until("text_delta", "error")
        await connection.send(type="cancel", request_id="mine")
        assert (await connection.until("run_finished", "error"))[-1]["status"] == "cancelled"


async def test_a_connection_that_ends_leaves_its_run() -> None:
    async with live_server(adapters=adapters(calling("write"), "Written."), enable_agents=True) as server:
        async with websockets.connect(server.socket_url, proxy=None) as raw:
            connection = Connection(raw)
            await connection.send(type="run", agent="mole", task="Dig.")
            run_id = (await connection.until("approval_requested", "error"))[0]["run_id"]
        decided = await server.client.post(f"{RUNS}/{run_id}/approvals/call_1_1", json={"decision": "approve"})
        assert decided.status_code == 200
        assert (await until(server, run_id, "completed"))["answer"] == "Written."


async def test_what_is_wrong_is_told() -> None:
    async with (
        live_server(adapters=adapters(), enable_agents=True) as server,
        websockets.connect(server.socket_url, proxy=None) as raw,
    ):
        connection = Connection(raw)
        for message, code in (
            ({"type": "run", "request_id": "a", "agent": "nobody", "task": "Dig."}, "agent_not_found"),
            ({"type": "follow", "request_id": "a", "run_id": "run_0"}, "agent_run_not_found"),
            ({"type": "run", "agent": "mole"}, "invalid_request"),
            ({"type": "decide", "run_id": "run_0", "call_id": "x", "decision": "approve"}, "agent_run_not_found"),
            ({"type": "walk"}, "invalid_request"),
        ):
            await connection.send(**message)
            error = (await connection.until("error"))[-1]
            assert error["error"]["code"] == code, message
            assert error.get("request_id") == message.get("request_id")


async def test_switched_off_there_are_no_such_messages() -> None:
    async with live_server() as server, websockets.connect(server.socket_url, proxy=None) as raw:
        connection = Connection(raw)
        await connection.send(type="run", agent="mole", task="Dig.")
        error = (await connection.until("error"))[-1]["error"]
        assert error["message"] == "type must be 'chat', 'resume', 'cancel' or 'ping'."


async def test_a_server_that_stops_ends_following() -> None:
    async with (
        live_server(adapters=adapters(calling("write")), enable_agents=True) as server,
        websockets.connect(server.socket_url, proxy=None) as raw,
    ):
        connection = Connection(raw)
        await connection.send(type="run", agent="mole", task="Dig.")
        await connection.until("approval_requested", "error")
        server.stop.set()
        last = (await connection.until("error"))[-1]
        assert last["error"]["code"] == "shutting_down"
