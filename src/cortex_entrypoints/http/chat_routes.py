"""Chats: answered at once, as a stream, or over WebSocket."""

from quart import Blueprint, Response, websocket
from quart_cors import cors_exempt

from cortex_domain.errors import (
    ContextWindowExceededError,
    DeadlineExceededError,
    GeneratorBusyError,
    GeneratorFailedError,
    InsufficientMemoryError,
    InvalidModelError,
    InvalidRequestError,
    MemoryExceededError,
    MemoryPressureError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ModelNotLoadedError,
    ShuttingDownError,
    StorageError,
    UnsupportedCapabilityError,
)
from cortex_domain.event_stream import collect
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.asgi_connections import unproxied
from cortex_entrypoints.http.chat_socket import ChatSocket
from cortex_entrypoints.http.generation_log import GenerationStreamEvent
from cortex_entrypoints.http.generation_responses import generation_response
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import ChatBody, ChatDefaults
from cortex_entrypoints.http.request_reading import read_body
from cortex_entrypoints.http.response_bodies import ChatCompletion
from cortex_entrypoints.http.socket_agents import SocketAgents
from cortex_entrypoints.http.tool_chat_answers import collect_tool_chat

CHAT_ERRORS = (
    InvalidRequestError,
    ModelNotFoundError,
    ModelNotDownloadedError,
    UnsupportedCapabilityError,
    ContextWindowExceededError,
    MemoryExceededError,
    InvalidModelError,
    InsufficientMemoryError,
    GeneratorBusyError,
    MemoryPressureError,
    GeneratorFailedError,
    DeadlineExceededError,
    ModelNotLoadedError,
    ShuttingDownError,
    StorageError,
)


def chat_routes(
    cortex: Cortex,
    defaults: ChatDefaults,
    in_flight: InFlight,
    generations: Generations,
    *,
    agents: SocketAgents | None,
) -> Blueprint:
    """Builds the routes below `/api/chat`.

    Args:
        cortex: The use cases.
        defaults: What a chat gets that leaves something open.
        in_flight: Lets work in and ends it when the server stops.
        generations: Keeps what is streamed.
        agents: What the WebSocket runs besides chats; None when agents are switched off.
    """
    routes = Blueprint("chat", __name__, url_prefix="/api/chat")

    @routes.post("/completions")
    @documented(OperationNotes(tag="chat", body=ChatBody, answer=ChatCompletion, errors=CHAT_ERRORS))
    async def complete_chat() -> Response:
        """Answers a chat in one piece. A model that is not in memory is loaded first."""
        body = await read_body(ChatBody)
        request = body.to_domain(defaults)
        if body.server_tools is not None:
            async with in_flight.following(cortex.chat_with_tools(request, tool_choice=body.server_tools)) as uses:
                return json_response(await collect_tool_chat(uses))
        async with in_flight.following(cortex.generate_text(request)) as events:
            return json_response(ChatCompletion.from_result(await collect(events)))

    @routes.post("/completions/stream")
    @documented(OperationNotes(tag="chat", body=ChatBody, events=GenerationStreamEvent, errors=CHAT_ERRORS))
    async def stream_chat() -> Response:
        """Answers a chat as it is generated.

        A client that leaves suspends the generation: it takes no place any more, and for a while `GET
        /api/generations/{generation_id}/events` goes on with it. The first event tells the generation_id.
        """
        body = await read_body(ChatBody)
        reading = generations.begun(body.to_domain(defaults), server_tools=body.server_tools)
        return await generation_response(reading, in_flight)

    @routes.websocket("/ws")
    @cors_exempt
    async def chat_socket() -> None:
        """Runs chats over one connection; see docs/websocket.md."""
        socket = ChatSocket(
            unproxied(websocket), generations=generations, defaults=defaults, in_flight=in_flight, agents=agents
        )
        await socket.serve()

    return routes
