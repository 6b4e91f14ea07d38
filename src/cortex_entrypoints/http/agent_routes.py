"""Agents: listed, described, put there, deleted."""

from collections.abc import Collection
from fnmatch import fnmatchcase

from quart import Blueprint, Response

from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import (
    AgentNotFoundError,
    AgentReadOnlyError,
    InvalidAgentError,
    InvalidRequestError,
    ShuttingDownError,
    StorageError,
)
from cortex_domain.ports import AgentRegistry, ToolProvider
from cortex_entrypoints.http.agent_bodies import AgentBody, AgentDescription, AgentList
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_reading import read_body

_NAMING_ERRORS = (AgentNotFoundError, InvalidAgentError, StorageError)
_PUTTING_ERRORS = (InvalidRequestError, AgentReadOnlyError, StorageError, ShuttingDownError)
_DELETING_ERRORS = (AgentNotFoundError, AgentReadOnlyError, StorageError, ShuttingDownError)


def agent_routes(registry: AgentRegistry, tools: ToolProvider, in_flight: InFlight) -> Blueprint:
    """Builds the routes below `/api/agents`."""
    routes = Blueprint("agents", __name__, url_prefix="/api/agents")

    async def describe(agent: AgentDefinition) -> AgentDescription:
        names = {tool.name for tool in await tools.list_tools()}
        return AgentDescription(agent=AgentBody.of_domain(agent), unavailable_tools=_unavailable(agent, names))

    @routes.get("")
    @documented(OperationNotes(tag="agents", answer=AgentList, errors=(StorageError,)))
    async def list_agents() -> Response:
        """Lists the agents, sorted by name. A file that is wrong is left out, and logged."""
        return json_response(AgentList(agents=[await describe(agent) for agent in await registry.list_agents()]))

    @routes.get("/<agent_name>")
    @documented(OperationNotes(tag="agents", answer=AgentDescription, errors=_NAMING_ERRORS))
    async def describe_agent(agent_name: str) -> Response:
        """Describes an agent. One whose file is wrong is refused with what is wrong."""
        return json_response(await describe(await registry.get_agent(agent_name)))

    @routes.post("")
    @documented(OperationNotes(tag="agents", body=AgentBody, answer=AgentDescription, errors=_PUTTING_ERRORS))
    async def put_agent() -> Response:
        """Adds an agent, or replaces the one of its name. It is kept on disk.

        Agents that are built in or come from files cannot be replaced.
        """
        agent = (await read_body(AgentBody)).to_domain()
        async with in_flight.work():
            await registry.put_agent(agent)
            return json_response(await describe(agent))

    @routes.delete("/<agent_name>")
    @documented(OperationNotes(tag="agents", status=204, errors=_DELETING_ERRORS))
    async def delete_agent(agent_name: str) -> Response:
        """Deletes an agent that was put there. Its runs keep their own copy of it and go on."""
        async with in_flight.work():
            await registry.delete_agent(agent_name)
            return Response(status=204)

    return routes


def _unavailable(agent: AgentDefinition, names: Collection[str]) -> list[str]:
    return [pattern for pattern in agent.tools if not any(fnmatchcase(name, pattern) for name in names)]
