"""Agent runs: started, listed, followed, decided on, cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus
from cortex_domain.errors import (
    AgentNotFoundError,
    AgentRunNotFoundError,
    ApprovalNotPendingError,
    CortexError,
    GeneratorBusyError,
    InvalidAgentError,
    InvalidRequestError,
    ShuttingDownError,
    StorageError,
)
from cortex_domain.generation import MAX_OWNER_CHARACTERS
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.agent_run_answers import AgentRunAnswer, AgentRunList, AgentRunOutline
from cortex_entrypoints.http.agent_run_bodies import AgentRunBody, ApprovalBody
from cortex_entrypoints.http.agent_run_frames import AgentRunStreamEvent, error_frame, record_frame
from cortex_entrypoints.http.asgi_connections import current_request
from cortex_entrypoints.http.edge_errors import UnknownEventError
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.event_responses import frame_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.last_event_id import READING_PARAMETERS, last_event_id
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_reading import read_body
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.run_following import until_draining

MAX_PAGE: Final = 200
_DEFAULT_PAGE: Final = 50
_RUN_ERRORS = (AgentRunNotFoundError, StorageError)
_STARTING_ERRORS = (
    InvalidRequestError,
    AgentNotFoundError,
    InvalidAgentError,
    GeneratorBusyError,
    ShuttingDownError,
    StorageError,
)
_DECIDING_ERRORS = (InvalidRequestError, ApprovalNotPendingError, ShuttingDownError, *_RUN_ERRORS)
_OWNER_PARAMETER: Final = {
    "name": "owner",
    "in": "query",
    "description": "Whose runs; everybody's if absent. A name, not a credential.",
    "schema": {"type": "string", "maxLength": MAX_OWNER_CHARACTERS},
}
_LIST_PARAMETERS: Final = (
    {
        "name": "limit",
        "in": "query",
        "description": "Most runs to list.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": _DEFAULT_PAGE},
    },
    {
        "name": "before",
        "in": "query",
        "description": "Id of the last run of the page before.",
        "schema": {"type": "string", "minLength": 1},
    },
    {
        "name": "state",
        "in": "query",
        "description": "Lists runs in this state only.",
        "schema": {"type": "string", "enum": [status.value for status in AgentRunStatus]},
    },
    _OWNER_PARAMETER,
)


def agent_run_routes(cortex: Cortex, in_flight: InFlight) -> Blueprint:
    """Builds the routes below `/api/agent-runs`."""
    routes = Blueprint("agent_runs", __name__, url_prefix="/api/agent-runs")
    runs = cortex.agent_runs

    @routes.post("")
    @documented(
        OperationNotes(
            tag="agent-runs",
            body=AgentRunBody,
            answer=AgentRunAnswer,
            answer_events=AgentRunStreamEvent,
            errors=_STARTING_ERRORS,
        )
    )
    async def start_agent_run() -> Response:
        """Starts a run.

        Answers when it is over or waits for a person; with `background` at once; with `stream` by its events. A run
        belongs to nobody's connection: it goes on when the client leaves, and after a restart of the server. To end it,
        cancel it.
        """
        return await _start(cortex, in_flight, await read_body(AgentRunBody))

    @routes.get("")
    @documented(
        OperationNotes(
            tag="agent-runs",
            answer=AgentRunList,
            parameters=_LIST_PARAMETERS,
            errors=(InvalidRequestError, *_RUN_ERRORS),
        )
    )
    async def list_agent_runs() -> Response:
        """Lists runs, the one that was begun last first; those of agents that were asked by others too."""
        limit, state = _limit(), _state()
        found = await runs.list_runs(
            owner=request.args.get("owner"),
            statuses=None if state is None else [state],
            before=request.args.get("before"),
            limit=limit + 1,
        )
        outlines = [AgentRunOutline.of(summary) for summary in found[:limit]]
        return json_response(AgentRunList(runs=outlines, has_more=len(found) > limit))

    @routes.get("/<run_id>")
    @documented(OperationNotes(tag="agent-runs", answer=AgentRunAnswer, errors=_RUN_ERRORS))
    async def describe_agent_run(run_id: str) -> Response:
        """Tells how a run is, and what it waits for."""
        return json_response(AgentRunAnswer.of_state(await runs.get(run_id, owner=None)))

    @routes.get("/<run_id>/events")
    @documented(
        OperationNotes(
            tag="agent-runs",
            events=AgentRunStreamEvent,
            last_event="run_finished",
            parameters=READING_PARAMETERS,
            may_be_empty=True,
            errors=(InvalidRequestError, UnknownEventError, ShuttingDownError, *_RUN_ERRORS),
        )
    )
    async def read_agent_run(run_id: str) -> Response:
        """Reads the events of a run, those that were and those to come, each once and in order, to the run's end.

        Begins after the event that the header Last-Event-ID names, or the query parameter last_event_id; without
        either, with the first. 204 when the client has had the last one. A run that waits for a person keeps the stream
        open; a server that stops ends it, to be read on after the restart.
        """
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET"])
        return await _read_on(cortex, in_flight, run_id, after=last_event_id() or 0)

    @routes.post("/<run_id>/approvals/<call_id>")
    @documented(OperationNotes(tag="agent-runs", body=ApprovalBody, answer=AgentRunAnswer, errors=_DECIDING_ERRORS))
    async def decide_approval(run_id: str, call_id: str) -> Response:
        """Decides on a call that a run waits with, and has the run go on. Of several decisions the first one holds."""
        decision = (await read_body(ApprovalBody)).to_domain(call_id)
        with in_flight.admitted():
            return json_response(AgentRunAnswer.of_state(await runs.decide(run_id, decision, owner=None)))

    @routes.delete("/<run_id>")
    @documented(OperationNotes(tag="agent-runs", answer=AgentRunAnswer, errors=_RUN_ERRORS))
    async def cancel_agent_run(run_id: str) -> Response:
        """Ends a run, whatever it is at, and answers with it; one that is over stays as it is."""
        return json_response(AgentRunAnswer.of_state(await runs.cancel(run_id, owner=None)))

    return routes


async def _start(cortex: Cortex, in_flight: InFlight, body: AgentRunBody) -> Response:
    with in_flight.admitted():
        agent = body.adapted(await cortex.agent_registry.get_agent(body.agent))
        state = await cortex.agent_runs.begin(agent, body.task, owner=body.owner or "")
    if body.stream:
        return await _stream(cortex, in_flight, state.started.run_id, after=0)
    if not body.background:
        async with in_flight.work():
            state = await cortex.agent_runs.until_settled(state.started.run_id, owner=None)
    return json_response(AgentRunAnswer.of_state(state))


async def _read_on(cortex: Cortex, in_flight: InFlight, run_id: str, *, after: int) -> Response:
    state = await cortex.agent_runs.get(run_id, owner=None)
    if after > state.last_sequence:
        raise UnknownEventError(last_event_id=after, events=state.last_sequence)
    if state.finished is not None and after == state.last_sequence:
        return Response(status=204)
    return await _stream(cortex, in_flight, run_id, after=after)


async def _stream(cortex: Cortex, in_flight: InFlight, run_id: str, *, after: int) -> Response:
    """Begins to follow a run and responds with its events. The current request follows until its client is gone."""
    with in_flight.admitted():  # not for as long as it lasts: a run may wait for days, and the server would with it
        records = await current_request().resources.enter_async_context(
            cortex.agent_runs.follow(run_id, owner=None, after=after)
        )
    return frame_response(_frames(records, in_flight.draining))


async def _frames(records: AsyncIterator[AgentRunRecord], draining: asyncio.Event) -> AsyncIterator[bytes]:
    try:
        async with aclosing(until_draining(records, draining)) as told:
            async for record in told:
                yield record_frame(record)
    except CortexError as error:
        log_error(error)
        yield error_frame(ErrorEvent(error=error_facts(error)))


def _limit() -> int:
    written = request.args.get("limit", str(_DEFAULT_PAGE))
    if not (written.isascii() and written.isdigit() and len(written) <= 4 and 1 <= int(written) <= MAX_PAGE):
        raise InvalidRequestError(f"limit must be a whole number from 1 to {MAX_PAGE}.", parameter="limit")
    return int(written)


def _state() -> AgentRunStatus | None:
    written = request.args.get("state")
    if written is None:
        return None
    if written not in set(AgentRunStatus):
        raise InvalidRequestError(f"state must be one of {', '.join(AgentRunStatus)}.", parameter="state")
    return AgentRunStatus(written)
