"""A server that is asked over HTTP and answers with server-sent events."""

import asyncio
import json
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from cortex_entrypoints.bench.answer_progress import AnswerProgress
from cortex_entrypoints.bench.dialects import Dialect, NativeDialect, OpenAiDialect, error_message
from cortex_entrypoints.bench.event_payloads import event_payloads
from cortex_entrypoints.bench.measurements import Answer
from cortex_entrypoints.bench.server_connection import ConnectionFailedError, ServerConnection
from cortex_entrypoints.bench.target import Sampling, Target, TargetError, TargetFacts

_PROBE_TIMEOUT_S = 30.0
_LONGEST_REFUSAL = 200
_DIALECTS: dict[str, Dialect] = {"native": NativeDialect(), "openai": OpenAiDialect()}


class HttpTarget(Target):
    """Measures a server from outside, like any client of it."""

    def __init__(
        self, url: str, *, model: str | None, dialect: str = "auto", api_key: str | None = None, timeout_s: float
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: Where the server is; a trailing `/v1` is left out, because the dialect brings it.
            model: What it is asked for; None leaves the choice to the server.
            dialect: `native`, `openai`, or `auto` to find out.
            api_key: Sent as a bearer token; None sends none.
            timeout_s: Seconds after which an answer counts as failed.
        """
        self._url = url.rstrip("/").removesuffix("/v1")
        self._model, self._timeout_s = model, timeout_s
        self._dialect = _DIALECTS.get(dialect)
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._details: dict[str, str] = {}

    @property
    def facts(self) -> TargetFacts:
        """Address, dialect, and what a Cortex server says about itself."""
        return TargetFacts(name=self._url, kind="url", details=self._details)

    async def __aenter__(self) -> Self:
        """Finds out which dialect the server speaks: what is no Cortex server is taken to speak OpenAI's.

        Raises:
            TargetError: It cannot be reached.
        """
        health = await self._get("/api/health") or {}
        if self._dialect is None:
            self._dialect = _DIALECTS["native" if "uptime_s" in health else "openai"]
        asked = {"dialect": self._dialect.name, "model": self._model or "the server's choice"}
        self._details = asked | {key: str(health[key]) for key in ("version", "device") if key in health}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Has nothing to close: each request has a connection of its own."""

    async def answer_all(
        self, prompts: Sequence[str], sampling: Sampling, *, on_answer: Callable[[], None]
    ) -> Sequence[Answer]:
        """Connects for all, then asks all: how a server queues connections is not what is measured."""
        connections = await asyncio.gather(*(self._connect() for _ in prompts))
        return await asyncio.gather(
            *(
                self._answer(connection, prompt, sampling, on_answer)
                for connection, prompt in zip(connections, prompts, strict=True)
            )
        )

    async def _connect(self) -> ServerConnection | ConnectionFailedError:
        try:
            return await ServerConnection.open(self._url)
        except ConnectionFailedError as exc:
            return exc

    async def _answer(
        self,
        connection: ServerConnection | ConnectionFailedError,
        prompt: str,
        sampling: Sampling,
        on_answer: Callable[[], None],
    ) -> Answer:
        seen = AnswerProgress()
        try:
            if isinstance(connection, ConnectionFailedError):
                raise connection
            async with asyncio.timeout(self._timeout_s):
                await self._ask(connection, prompt, sampling, seen)
        except TimeoutError:
            seen.fail(f"no complete answer within {self._timeout_s:g} s")
        except (ConnectionFailedError, ValueError, KeyError) as exc:
            seen.fail(str(exc) if isinstance(exc, ConnectionFailedError) else f"not understood: {exc!r}")
        finally:
            if isinstance(connection, ServerConnection):
                connection.close()
        on_answer()
        return seen.answer()

    async def _ask(self, connection: ServerConnection, prompt: str, sampling: Sampling, seen: AnswerProgress) -> None:
        dialect = self._known_dialect
        body = json.dumps(dialect.body(prompt, sampling, model=self._model)).encode()
        await connection.send("POST", dialect.path, body=body, headers=self._headers)
        status = await connection.status()
        if status != 200:
            seen.fail(f"status {status}: {_refusal(await connection.body())}")
            return
        async for payload in event_payloads(connection.pieces()):
            seen.take(dialect.read(payload))
        if not seen.has_ended:
            seen.fail("the stream ended before the answer did")

    @property
    def _known_dialect(self) -> Dialect:
        assert self._dialect is not None, "entered first"
        return self._dialect

    async def _get(self, path: str) -> dict[str, Any] | None:
        """Fetches a JSON object; None when there is none at that path."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                connection = await ServerConnection.open(self._url)
                await connection.send("GET", path, headers=self._headers)
                await connection.status()
                body = await connection.body()
                connection.close()
        except (ConnectionFailedError, TimeoutError) as exc:
            raise TargetError(str(exc) or f"{self._url} does not answer.") from exc
        return _json_object(body)


def _refusal(body: bytes) -> str:
    found = _json_object(body)
    return body.decode(errors="replace")[:_LONGEST_REFUSAL] if found is None else error_message(found)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
