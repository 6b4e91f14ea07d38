"""Chats over one WebSocket connection; `docs/websocket.md` describes the protocol.

One task reads messages, one writes them, and each chat is a task of its own. Only the writer touches the connection:
a task that is cancelled while it sends would break the compression that all messages share.

An error event with a `request_id` ends that chat. One without is about a message and ends nothing.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

from quart import Websocket

from cortex_domain.errors import CortexError, ShuttingDownError
from cortex_entrypoints.http.edge_errors import DuplicateRequestIdError, TooManyChatsError, UnknownRequestIdError
from cortex_entrypoints.http.error_responses import error_facts
from cortex_entrypoints.http.event_encoding import encode_fields
from cortex_entrypoints.http.generation_log import LogReader
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_parsing import parse_json
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.socket_agents import SocketAgents
from cortex_entrypoints.http.socket_chat import SocketChat
from cortex_entrypoints.http.socket_messages import (
    AgentSocketMessage,
    CancelMessage,
    ChatMessage,
    DecideMessage,
    FollowMessage,
    PingMessage,
    ResumeMessage,
    RunMessage,
    SocketMessage,
    chat_id_of,
    validate_message,
)
from cortex_entrypoints.http.socket_run import BeginRun, SocketRun
from cortex_entrypoints.observation.request_ids import REQUEST_ID_HEADER, current_request_id

logger = logging.getLogger(__name__)

MAX_CHATS: Final = 16
"""Chats that one connection may run at once."""

_OUTBOUND_MESSAGES: Final = 64
_GOING_AWAY: Final = 1001


class ChatSocket:
    """Serves one connection until its client leaves or the server stops.

    Args:
        websocket: The connection.
        generations: Begins, continues and cancels what the chats are answered with.
        defaults: What a chat gets that leaves something open.
        in_flight: Lets chats in and ends them when the server stops.
        agents: Runs agents; None when they are switched off.
    """

    def __init__(
        self,
        websocket: Websocket,
        *,
        generations: Generations,
        defaults: ChatDefaults,
        in_flight: InFlight,
        agents: SocketAgents | None,
    ) -> None:
        self._websocket = websocket
        self._generations = generations
        self._defaults = defaults
        self._in_flight = in_flight
        self._outbox: asyncio.Queue[str] = asyncio.Queue(_OUTBOUND_MESSAGES)
        self._agents = agents
        self._chats: dict[str, SocketChat | SocketRun] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._tasks = asyncio.TaskGroup()

    async def serve(self) -> None:
        """Serves; cancelling this leaves every chat of the connection, as a client does that goes.

        Raises:
            ShuttingDownError: The server is stopping.
        """
        with self._in_flight.admitted():
            await self._websocket.accept(headers={REQUEST_ID_HEADER: current_request_id() or ""})
            try:
                await self._run()
            except* TimeoutError:
                logger.info("A WebSocket client stopped reading and was given up")

    async def _run(self) -> None:
        async with self._tasks:
            writer = self._tasks.create_task(self._write())
            reader = self._tasks.create_task(self._read())
            await self._in_flight.draining.wait()
            while self._running:
                await asyncio.wait(self._running)
            reader.cancel()
            await self._say_goodbye()
            writer.cancel()

    async def _write(self) -> None:
        while True:
            await self._websocket.send(await self._outbox.get())
            self._outbox.task_done()

    async def _read(self) -> None:
        while True:
            await self._take(await self._websocket.receive())

    async def _say_goodbye(self) -> None:
        await self._send_error(ShuttingDownError("The server is stopping. Connect again when it is back."))
        await self._outbox.join()
        await self._websocket.close(_GOING_AWAY, "The server is stopping")

    async def _take(self, data: str | bytes) -> None:
        value: object = None
        try:
            value = parse_json(data)
            await self._act_on(validate_message(value, has_agents=self._agents is not None))
        except CortexError as error:
            request_id = chat_id_of(value)
            await self._send_error(error, request_id=None if request_id in self._chats else request_id)

    async def _act_on(self, message: SocketMessage) -> None:
        match message:
            case ChatMessage():
                request = message.to_domain(self._defaults)
                reading = self._generations.begun(request, server_tools=message.server_tools)
                self._start_chat(message.request_id, request.generation_id, reading, begin=0)
            case ResumeMessage(generation_id=generation_id, last_sequence=last_sequence):
                reading = self._generations.followed(generation_id, after=last_sequence)
                begin = 0 if last_sequence is None else last_sequence + 1
                self._start_chat(message.request_id, generation_id, reading, begin=begin)
            case CancelMessage(request_id=request_id):
                await self._cancel_chat(request_id)
            case RunMessage() | FollowMessage() | DecideMessage():
                assert self._agents is not None
                await self._act_on_runs(message, self._agents)
            case PingMessage():
                await self._outbox.put(encode_fields({"type": "pong"}))

    async def _act_on_runs(self, message: AgentSocketMessage, agents: SocketAgents) -> None:
        match message:
            case RunMessage():
                self._start_run(message.request_id, agents, partial(agents.begin, message), after=0)
            case FollowMessage(run_id=run_id, last_sequence=last_sequence):
                self._start_run(message.request_id, agents, partial(agents.find, run_id), after=last_sequence or 0)
            case DecideMessage(run_id=run_id, call_id=call_id):
                await agents.runs.decide(run_id, message.to_domain(call_id), owner=None)

    def _start_chat(
        self, request_id: str | None, generation_id: str, reading: AbstractAsyncContextManager[LogReader], *, begin: int
    ) -> None:
        request_id = self._free_id(request_id)
        chat = SocketChat(request_id, generation_id, generations=self._generations, send=self._outbox.put, begin=begin)
        self._start(request_id, chat, chat.run(reading, in_flight=self._in_flight))

    def _start_run(self, request_id: str | None, agents: SocketAgents, begin: BeginRun, *, after: int) -> None:
        request_id = self._free_id(request_id)
        run = SocketRun(request_id, begin=begin, after=after, runs=agents.runs, send=self._outbox.put)
        self._start(request_id, run, run.run(in_flight=self._in_flight))

    def _free_id(self, request_id: str | None) -> str:
        request_id = request_id or f"req_{uuid.uuid4().hex}"
        if request_id in self._chats:
            raise DuplicateRequestIdError(request_id=request_id)
        if len(self._chats) >= MAX_CHATS:
            raise TooManyChatsError(limit=MAX_CHATS)
        return request_id

    def _start(self, request_id: str, chat: SocketChat | SocketRun, running: Coroutine[Any, Any, None]) -> None:
        self._chats[request_id] = chat
        task = self._tasks.create_task(running)
        self._running.add(task)
        task.add_done_callback(partial(self._forget, request_id))

    def _forget(self, request_id: str, task: asyncio.Task[None]) -> None:
        del self._chats[request_id]
        self._running.discard(task)

    async def _cancel_chat(self, request_id: str) -> None:
        if request_id not in self._chats:
            raise UnknownRequestIdError(request_id=request_id)
        await self._chats[request_id].cancel()

    async def _send_error(self, error: CortexError, *, request_id: str | None = None) -> None:
        fields = {} if request_id is None else {"request_id": request_id, "sequence": 0}
        await self._outbox.put(encode_fields({**ErrorEvent(error=error_facts(error)).model_dump(), **fields}))
