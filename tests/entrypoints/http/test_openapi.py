"""The OpenAPI description is the one that is committed, and the server keeps to it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.fake import HONOURED, FakeModelLoader, FakeTextGenerator, FakeToolProvider
from cortex_adapters.system.clock import SystemClock
from cortex_domain.language_models import Capability
from cortex_domain.tool_execution import ToolDescriptor
from cortex_domain.tools import ToolDefinition
from cortex_entrypoints import Settings
from cortex_entrypoints.http import create_app
from cortex_entrypoints.http.operation_notes import notes_of
from cortex_entrypoints.write_openapi import openapi_text
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
COMMITTED = Path(__file__).parents[3] / "contracts" / "api" / "openapi.json"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return loaded


async def test_the_committed_description_is_that_of_the_code() -> None:
    text = await openapi_text(create_app(FakeAdapters().wire(), Settings(port=0, enable_agents=True)))
    assert text == COMMITTED.read_text(encoding="utf-8"), (
        "Run: python -m cortex_entrypoints.write_openapi contracts/api/openapi.json"
    )


async def test_the_served_description_is_that_of_the_code(description: dict[str, Any]) -> None:
    async with live_server(enable_agents=True) as server:
        assert (await server.client.get("/openapi.json")).json() == description


async def test_what_is_switched_off_is_not_described(server: LiveServer, description: dict[str, Any]) -> None:
    served = (await server.client.get("/openapi.json")).json()
    agents = {path for path in description["paths"] if path.startswith("/api/agent")}
    assert agents
    assert served["paths"].keys() == description["paths"].keys() - agents


def test_every_api_route_is_described() -> None:
    app = create_app(FakeAdapters().wire(), Settings(port=0, enable_agents=True))
    for rule in app.url_map.iter_rules():
        is_api = rule.rule.startswith(("/api", "/v1")) and not rule.websocket
        assert (notes_of(app.view_functions[rule.endpoint]) is not None) == (is_api or rule.rule == "/"), rule


def test_every_operation_has_its_refusals(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert {"403", "421", "500"} <= set(operation["responses"]), (method, path)
            assert operation["summary"]
            assert operation["tags"]
            assert ("requestBody" in operation) == ("413" in operation["responses"])


def test_streams_are_described(description: dict[str, Any]) -> None:
    chat = description["paths"]["/api/chat/completions/stream"]["post"]["responses"]["200"]["content"]
    pull = description["paths"]["/api/models/{model_id}/pull"]["post"]["responses"]["200"]["content"]
    generation = [
        "GenerationStarted",
        "PrefillProgress",
        "ReasoningDelta",
        "TextDelta",
        "ToolCallDelta",
        "ToolCallFinished",
        "ChoiceFinished",
        "GenerationFinished",
    ]
    tools = ["ToolStarted", "ToolProgress", "ToolResultEvent"]
    assert _events(chat) == [*generation, *tools, "CancelledEvent", "ErrorEvent"]
    assert _events(pull) == ["PullStarted", "PullProgress", "PullFinished", "ErrorEvent"]


async def test_the_server_keeps_to_its_description(tmp_path: Path) -> None:
    """Schemathesis: thousands of bodies, right and wrong; every answer is one that the description has."""
    # What an honest client may send and a model may still refuse, knowing its own words and schemas.
    sampling = HONOURED - {Capability.LOGIT_BIAS, Capability.RAW_PROMPT, Capability.JSON_SCHEMA_OUTPUT}
    loader, clock = FakeModelLoader(), SystemClock()
    generator = FakeTextGenerator(loader=loader, clock=clock, capabilities=sampling)
    tools = FakeToolProvider([ToolDescriptor(definition=ToolDefinition(name="read_file"))], clock=clock)
    adapters = FakeAdapters(loader=loader, clock=clock, generator=generator, tools=tools)
    async with live_server(adapters=adapters) as server:
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(CONFIGURATION), "run", "--no-color"),
            f"{server.url}/openapi.json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        output, _ = await run.communicate()
    assert run.returncode == 0, output.decode()


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    for reference in _references(description):
        assert reference.removeprefix("#/components/schemas/") in description["components"]["schemas"]


def test_fields_have_the_words_of_their_docstrings(description: dict[str, Any]) -> None:
    usage = description["components"]["schemas"]["TokenUsage"]
    assert usage["description"] == "Tokens read and written by one generation."
    assert usage["properties"]["total_tokens"]["description"] == "prompt_tokens + completion_tokens."
    assert "total_tokens" in usage["required"]


def _events(content: dict[str, Any]) -> list[str]:
    data = content["text/event-stream"]["schema"]["properties"]["data"]
    return [event["$ref"].rpartition("/")[2] for event in data["contentSchema"]["oneOf"]]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []
