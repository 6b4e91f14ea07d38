"""Agent runs over HTTP, through a real socket."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from cortex_adapters.fake import (
    FakeModelLoader,
    FakeTextGenerator,
    FakeToolProvider,
    ScriptedReply,
    ScriptedToolCall,
    ScriptedToolUse,
)
from cortex_adapters.in_memory import InMemoryAgentRegistry, InMemoryAgentRunStore
from cortex_adapters.system.clock import SystemClock
from cortex_domain.agents import AgentDefinition
from cortex_domain.ports import AgentRunStore
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect, ToolImage, ToolOutput
from cortex_domain.tools import ToolDefinition
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.sse import Frame, parse_frames

RUNS = "/api/agent-runs"
TASK: dict[str, Any] = {"agent": "mole", "task": "Dig."}
LOOK = ToolDescriptor(definition=ToolDefinition(name="look"), is_idempotent=True)
WRITE = ToolDescriptor(definition=ToolDefinition(name="write"), effects=frozenset({ToolEffect.WRITES_LOCAL}))
MOLE = AgentDefinition(name="mole", instructions="Dig.", tools=("*",))
BOSS = AgentDefinition(name="boss", sub_agents=("mole",))
ENDLESS = ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.005)


def adapters(
    *replies: ScriptedReply | str,
    uses: dict[str, Iterable[ScriptedToolUse]] | None = None,
    store: AgentRunStore | None = None,
) -> FakeAdapters:
    loader, clock = FakeModelLoader(context_window=100_000), SystemClock()
    return FakeAdapters(
        loader=loader,
        clock=clock,
        generator=FakeTextGenerator(loader=loader, clock=clock, script=replies),
        tools=FakeToolProvider([LOOK, WRITE], clock=clock, script=uses),
        agents=InMemoryAgentRegistry([MOLE, BOSS]),
        agent_runs=store or InMemoryAgentRunStore(),
    )


def calling(name: str, call_id: str = "call_1", **arguments: Any) -> ScriptedReply:
    return ScriptedReply(
        tool_calls=(ScriptedToolCall(name=name, arguments=(json.dumps(arguments),), id=call_id),), pieces=("Now. ",)
    )


async def start(server: LiveServer, **more: Any) -> dict[str, Any]:
    answer = await server.client.post(RUNS, json={**TASK, **more})
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


async def events(server: LiveServer, run_id: str, after: int | None = None) -> list[Frame]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = await server.client.get(f"{RUNS}/{run_id}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    return parse_frames(answer.text)


async def until(server: LiveServer, run_id: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (run := (await server.client.get(f"{RUNS}/{run_id}")).json())["state"] != state:
            await asyncio.sleep(0.01)
    found: dict[str, Any] = run
    return found


async def decide(server: LiveServer, run_id: str, call_id: str = "call_1_1", **decision: Any) -> dict[str, Any]:
    answer = await server.client.post(f"{RUNS}/{run_id}/approvals/{call_id}", json=decision)
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


async def test_a_run_answers_when_it_is_over() -> None:
    async with live_server(adapters=adapters(calling("look", at="x"), "Done."), enable_agents=True) as server:
        run = await start(server)
        assert (run["state"], run["answer"], run["agent"], run["task"]) == ("completed", "Done.", "mole", "Dig.")
        assert run["usage"]["steps"] == 2
        assert (await server.client.get(f"{RUNS}/{run['id']}")).json() == run


async def test_metrics_count_runs() -> None:
    async with live_server(adapters=adapters("Done.", ENDLESS), enable_agents=True) as server:
        await start(server)
        run = await start(server, background=True)
        assert "cortex_agent_runs_live 1.0" in (await server.client.get("/metrics")).text
        await server.client.delete(f"{RUNS}/{run['id']}")
        told = (await server.client.get("/metrics")).text
    assert 'cortex_agent_runs_finished_total{state="completed"} 1.0' in told
    assert 'cortex_agent_runs_finished_total{state="cancelled"} 1.0' in told


async def test_a_run_in_the_background_answers_at_once() -> None:
    async with live_server(adapters=adapters(ENDLESS), enable_agents=True) as server:
        run = await start(server, background=True)
        assert (run["state"], run["answer"]) == ("running", None)
        cancelled = (await server.client.delete(f"{RUNS}/{run['id']}")).json()
        assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled")
        await server.until_idle()


async def test_a_stream_has_the_events_of_the_log_to_the_end() -> None:
    picture = ScriptedToolUse(output=ToolOutput(content=(ToolImage(data=b"\xff", media_type="image/png"),)))
    fakes = adapters(calling("look"), "Done.", uses={"look": [picture]})
    async with live_server(adapters=fakes, enable_agents=True) as server:
        answer = await server.client.post(RUNS, json={**TASK, "stream": True})
        frames = parse_frames(answer.text)
        kinds = [frame.event for frame in frames if frame.event != "text_delta"]
        assert kinds == [
            *("run_started", "model_turn_started", "tool_call", "model_turn_finished", "tool_started", "tool_result"),
            *("model_turn_started", "model_turn_finished", "run_finished"),
        ]
        assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
        assert [frame.data["sequence"] for frame in frames] == [frame.sequence for frame in frames]
        assert frames[0].data["agent"]["name"] == "mole"
        result = next(frame.data for frame in frames if frame.event == "tool_result")
        assert result["content"] == [{"type": "image", "data": "/w==", "media_type": "image/png"}]
        again = await events(server, frames[0].data["run_id"])
        assert again == frames


async def test_events_are_read_from_any_point() -> None:
    async with live_server(adapters=adapters(calling("look"), "Done."), enable_agents=True) as server:
        run = await start(server)
        whole = await events(server, run["id"])
        for after in range(run["last_event_id"]):
            assert await events(server, run["id"], after) == whole[after:]
        last = {"Last-Event-ID": str(run["last_event_id"])}
        assert (await server.client.get(f"{RUNS}/{run['id']}/events", headers=last)).status_code == 204
        for wrong in (str(run["last_event_id"] + 1), "x"):
            answer = await server.client.get(f"{RUNS}/{run['id']}/events?last_event_id={wrong}")
            assert answer.status_code == 400


async def test_a_run_that_is_followed_live_has_no_gap_and_no_double() -> None:
    fakes = adapters(calling("write"), ScriptedReply(pieces=("One ", "two ", "three."), delay_s=0.15))
    async with live_server(adapters=fakes, enable_agents=True) as server:
        run = await start(server)
        followers = [asyncio.create_task(events(server, run["id"], after)) for after in (None, 0, 2)]
        await asyncio.sleep(0.1)
        await decide(server, run["id"], decision="approve")
        first, second, third = await asyncio.gather(*followers)
        assert first == second
        assert third == first[2:]
        assert [frame.sequence for frame in first] == list(range(1, len(first) + 1))


async def test_an_approval_is_asked_for_and_given() -> None:
    async with live_server(adapters=adapters(calling("write", text="x"), "Written."), enable_agents=True) as server:
        run = await start(server)
        assert run["state"] == "waiting_for_approval"
        [pending] = run["pending_approvals"]
        assert pending == {
            "call_id": "call_1_1",
            "name": "write",
            "arguments": {"text": "x"},
            "effects": ["writes_local"],
            "reason": "policy",
        }
        await decide(server, run["id"], decision="approve")
        over = await until(server, run["id"], "completed")
        assert (over["answer"], over["pending_approvals"]) == ("Written.", [])
        assert isinstance(server.adapters.tools, FakeToolProvider)
        assert server.adapters.tools.uses == [("write", {"text": "x"})]


async def test_an_approval_is_denied_with_a_reason() -> None:
    async with live_server(adapters=adapters(calling("write"), "I did not."), enable_agents=True) as server:
        run = await start(server)
        await decide(server, run["id"], decision="deny", reason="Too early.")
        await until(server, run["id"], "completed")
        told = next(frame for frame in await events(server, run["id"]) if frame.event == "tool_result")
        assert "Too early." in json.dumps(told.data)
        assert isinstance(server.adapters.tools, FakeToolProvider)
        assert server.adapters.tools.uses == []


async def test_an_approval_is_given_with_other_arguments() -> None:
    async with live_server(adapters=adapters(calling("write", text="x"), "Written."), enable_agents=True) as server:
        run = await start(server)
        await decide(server, run["id"], decision="edit", arguments={"text": "y"})
        await until(server, run["id"], "completed")
        assert isinstance(server.adapters.tools, FakeToolProvider)
        assert server.adapters.tools.uses == [("write", {"text": "y"})]


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        ({"decision": "edit"}, "invalid_request"),
        ({"decision": "approve", "arguments": {}}, "invalid_request"),
        ({"decision": "maybe"}, "invalid_request"),
    ],
)
async def test_a_decision_that_is_none_changes_nothing(decision: dict[str, Any], code: str) -> None:
    async with live_server(adapters=adapters(calling("write")), enable_agents=True) as server:
        run = await start(server)
        refused = await server.client.post(f"{RUNS}/{run['id']}/approvals/call_1_1", json=decision)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
        assert (await server.client.get(f"{RUNS}/{run['id']}")).json() == run


async def test_the_first_decision_holds() -> None:
    async with live_server(adapters=adapters(calling("write"), "Fine."), enable_agents=True) as server:
        run = await start(server)
        await decide(server, run["id"], decision="deny")
        for call_id in ("call_1_1", "call_2_1"):
            refused = await server.client.post(f"{RUNS}/{run['id']}/approvals/{call_id}", json={"decision": "approve"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "approval_not_pending")


async def test_a_run_outlives_the_client_that_started_it() -> None:
    slow = ScriptedReply(pieces=("One ", "two ", "three."), delay_s=0.1)
    async with live_server(adapters=adapters(slow), enable_agents=True) as server:
        async with server.client.stream("POST", RUNS, json={**TASK, "stream": True}) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    run_id = json.loads(line.removeprefix("data:"))["run_id"]
                    break
        assert (await until(server, run_id, "completed"))["answer"] == "One two three."


async def test_a_run_goes_on_after_a_restart() -> None:
    store = InMemoryAgentRunStore()
    async with live_server(adapters=adapters(ENDLESS, store=store), enable_agents=True, shutdown_grace_s=0.1) as server:
        run_id = (await start(server, background=True))["id"]
        async with asyncio.timeout(20):
            while (await server.client.get(f"{RUNS}/{run_id}")).json()["last_event_id"] < 3:
                await asyncio.sleep(0.01)
    async with live_server(adapters=adapters("Done at last.", store=store), enable_agents=True) as server:
        assert (await until(server, run_id, "completed"))["answer"] == "Done at last."
        kinds = [frame.event for frame in await events(server, run_id)]
        assert kinds.count("run_resumed") == 1
        assert kinds.count("run_finished") == 1


async def test_an_approval_comes_after_a_restart() -> None:
    store = InMemoryAgentRunStore()
    async with live_server(adapters=adapters(calling("write"), store=store), enable_agents=True) as server:
        run_id = (await start(server))["id"]
    async with live_server(adapters=adapters("Written.", store=store), enable_agents=True) as server:
        await decide(server, run_id, decision="approve")
        assert (await until(server, run_id, "completed"))["answer"] == "Written."


async def test_a_server_that_stops_lets_a_tool_end_and_takes_no_further_step() -> None:
    store = InMemoryAgentRunStore()
    slow = ScriptedToolUse(delay_s=0.5)
    fakes = adapters(calling("look"), "Never said.", uses={"look": [slow]}, store=store)
    async with live_server(adapters=fakes, enable_agents=True) as server:
        run_id = (await start(server, background=True))["id"]
        assert isinstance(fakes.tools, FakeToolProvider)
        async with asyncio.timeout(20):
            while not fakes.tools.running:
                await asyncio.sleep(0.01)
    async with live_server(adapters=adapters("Done.", store=store), enable_agents=True) as server:
        await until(server, run_id, "completed")
        kinds = [frame.event for frame in await events(server, run_id)]
        assert (kinds.count("tool_started"), kinds.count("tool_result")) == (1, 1)


async def test_a_server_that_stops_ends_the_streams_of_runs_that_wait() -> None:
    async with live_server(adapters=adapters(calling("write")), enable_agents=True) as server:
        run = await start(server)
        following = asyncio.create_task(events(server, run["id"]))
        await asyncio.sleep(0.1)
        server.stop.set()
        async with asyncio.timeout(3):
            frames = await following
    assert frames[-1].event == "approval_requested"


async def test_runs_are_listed_in_pages() -> None:
    async with live_server(adapters=adapters("One.", "Two.", calling("write")), enable_agents=True) as server:
        ids = [(await start(server, owner=owner))["id"] for owner in ("ann", "bob", "ann")]
        first = (await server.client.get(f"{RUNS}?limit=2")).json()
        assert ([run["id"] for run in first["runs"]], first["has_more"]) == (ids[:0:-1], True)
        second = (await server.client.get(f"{RUNS}?limit=2&before={ids[1]}")).json()
        assert ([run["id"] for run in second["runs"]], second["has_more"]) == (ids[:1], False)
        waiting = (await server.client.get(f"{RUNS}?state=waiting_for_approval")).json()
        assert [run["id"] for run in waiting["runs"]] == [ids[2]]
        mine = (await server.client.get(f"{RUNS}?owner=bob")).json()
        assert [run["id"] for run in mine["runs"]] == [ids[1]]
        for wrong in ("limit=0", "limit=201", "limit=x", "state=asleep"):
            assert (await server.client.get(f"{RUNS}?{wrong}")).status_code == 400


async def test_an_agent_that_asks_another_waits_with_it() -> None:
    asking = calling("ask_mole", task="Write.")
    fakes = adapters(asking, calling("write", call_id="call_2"), "Written.", "All done.")
    async with live_server(adapters=fakes, enable_agents=True) as server:
        run = await start(server, agent="boss")
        assert (run["state"], run["pending_approvals"]) == ("waiting_for_approval", [])
        [asked] = run["waiting_for_runs"]
        await decide(server, asked, decision="approve")
        assert (await until(server, run["id"], "completed"))["answer"] == "All done."
        assert (await server.client.get(f"{RUNS}/{asked}")).json()["parent_run_id"] == run["id"]


async def test_an_output_may_be_asked_for() -> None:
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}
    async with live_server(adapters=adapters('{"depth": 3}'), enable_agents=True) as server:
        run = await start(server, output={"type": "json_schema", "schema": schema}, agent="boss")
        assert run["output"] == {"depth": 3}


@pytest.mark.parametrize("path", ["", "/events", "/approvals/call_1_1"])
async def test_a_run_that_is_not_there_is_refused(path: str) -> None:
    async with live_server(adapters=adapters(), enable_agents=True) as server:
        method, body = ("POST", {"decision": "approve"}) if "approvals" in path else ("GET", None)
        refused = await server.client.request(method, f"{RUNS}/run_0{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "agent_run_not_found")
        assert (await server.client.delete(f"{RUNS}/run_0")).status_code == 404


async def test_an_agent_that_is_not_there_is_refused() -> None:
    async with live_server(adapters=adapters(), enable_agents=True) as server:
        refused = await server.client.post(RUNS, json={"agent": "nobody", "task": "Dig."})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "agent_not_found")
