"""Tools: listed, described, used."""

from typing import Annotated, Any

from pydantic import Field
from quart import Blueprint, Response

from cortex_domain.errors import ShuttingDownError, ToolDeniedError, ToolNotFoundError
from cortex_domain.tool_execution import ToolDescriptor
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import Owner
from cortex_entrypoints.http.request_reading import read_optional_body
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_answers import DescribedTool, ToolInvocation, ToolList
from cortex_entrypoints.tool_invocation import invoke_for_person


class ToolInvocationBody(Body):
    """How a tool is used."""

    arguments: Annotated[
        dict[str, Any], Field(description="What the tool is told; its `parameters` say what it takes.")
    ] = Field(default={}, examples=[{}])
    owner: Owner | None = None


def tool_routes(cortex: Cortex, in_flight: InFlight) -> Blueprint:
    """Builds the routes below `/api/tools`.

    Args:
        cortex: The use cases.
        in_flight: Lets work in and ends it when the server stops.
    """
    routes = Blueprint("tools", __name__, url_prefix="/api/tools")

    @routes.get("")
    @documented(OperationNotes(tag="tools", answer=ToolList))
    async def list_tools() -> Response:
        """Lists the tools that are switched on."""
        return json_response(ToolList(tools=[_described(tool, cortex) for tool in await _tools(cortex)]))

    @routes.get("/<tool_name>")
    @documented(OperationNotes(tag="tools", answer=DescribedTool, errors=(ToolNotFoundError,)))
    async def describe_tool(tool_name: str) -> Response:
        """Describes a tool."""
        for tool in await _tools(cortex):
            if tool.name == tool_name:
                return json_response(_described(tool, cortex))
        raise ToolNotFoundError(name=tool_name)

    @routes.post("/<tool_name>/invoke")
    @documented(
        OperationNotes(
            tag="tools",
            body=ToolInvocationBody,
            is_body_required=False,
            answer=ToolInvocation,
            errors=(ToolNotFoundError, ToolDeniedError, ShuttingDownError),
        )
    )
    async def invoke_tool(tool_name: str) -> Response:
        """Uses a tool and answers with what came of it.

        A failure of the tool, wrong arguments among them, is an answer too: its status is `error`. Who calls this is
        taken for the person whom the policy would have asked; what the policy denies is refused. A client that leaves
        ends the work.
        """
        body = await read_optional_body(ToolInvocationBody)
        async with in_flight.work():
            finished = await invoke_for_person(cortex, tool_name, body.arguments, owner=body.owner)
        return json_response(ToolInvocation.of(finished))

    return routes


async def _tools(cortex: Cortex) -> list[ToolDescriptor]:
    return sorted(await cortex.tool_provider.list_tools(), key=lambda tool: tool.name)


def _described(tool: ToolDescriptor, cortex: Cortex) -> DescribedTool:
    return DescribedTool.of(tool, cortex.tool_policy.permission(tool, after_untrusted=False))
