"""Measures and logs every HTTP request and WebSocket connection, and gives each an id.

ASGI middleware sees where a request begins and really ends, a streamed answer and what the request owned included. What
only the application knows, a hook of it notes.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope, WebsocketScope
from quart import Quart, Response, request

from cortex_entrypoints.observation.log_lines import facts
from cortex_entrypoints.observation.metrics import Metrics
from cortex_entrypoints.observation.request_ids import REQUEST_ID_HEADER, bind_request_id, current_request_id

logger = logging.getLogger(__name__)

_METHODS: Final = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")
_ROUTINE: Final = ("/api/health", "/metrics")
"""Asked for every few seconds by programs; logged at level DEBUG."""


@dataclass(slots=True)
class _Notes:
    """What the application notes of a request.

    Attributes:
        route: The rule that matched, or `unmatched`.
        status: Status of the answer; None when the client left before there was one.
    """

    route: str = "unmatched"
    status: int | None = None


_noted: ContextVar[_Notes] = ContextVar("noted")
"""Set here and found by the application, whose tasks inherit it."""


class RequestWatch:
    """The middleware.

    Args:
        app: The application.
        metrics: Where it counts.
        monotonic_s: Tells the time that passes.
    """

    def __init__(self, app: ASGIFramework, *, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
        self._app = app
        self._metrics = metrics
        self._monotonic_s = monotonic_s

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Runs the application."""
        match scope["type"]:
            case "http":
                with self._request(scope):
                    await self._app(scope, receive, send)
            case "websocket":
                with self._connection(scope):
                    await self._app(scope, receive, send)
            case "lifespan":
                await self._app(scope, receive, send)

    @contextmanager
    def _request(self, scope: HTTPScope) -> Iterator[None]:
        bind_request_id(_offered_id(scope))
        notes = _Notes()
        _noted.set(notes)
        begun_s = self._monotonic_s()
        try:
            with self._metrics.http_requests_in_flight.track_inprogress():
                yield
        finally:
            self._conclude(scope["method"], notes, self._monotonic_s() - begun_s)

    @contextmanager
    def _connection(self, scope: WebsocketScope) -> Iterator[None]:
        bind_request_id(_offered_id(scope))
        begun_s = self._monotonic_s()
        try:
            with self._metrics.websocket_connections.track_inprogress():
                yield
        finally:
            duration_ms = round(1000 * (self._monotonic_s() - begun_s), 1)
            logger.info("WebSocket connection ended", extra=facts(duration_ms=duration_ms))

    def _conclude(self, method: str, notes: _Notes, duration_s: float) -> None:
        method = method if method in _METHODS else "other"
        self._metrics.http_requests.labels(method, notes.route, notes.status or "none").inc()
        self._metrics.http_request_duration.labels(method, notes.route).observe(duration_s)
        logger.log(
            logging.DEBUG if notes.route in _ROUTINE else logging.INFO,
            "HTTP request ended",
            extra=facts(method=method, route=notes.route, status=notes.status, duration_ms=round(1000 * duration_s, 1)),
        )


def watch_requests(app: Quart, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
    """Makes the app measure its requests and name each in its answer."""

    @app.before_request
    async def note_route() -> None:
        if request.url_rule is not None:
            _noted.get().route = request.url_rule.rule

    @app.after_request
    async def note_answer(response: Response) -> Response:
        _noted.get().status = response.status_code
        response.headers[REQUEST_ID_HEADER] = current_request_id() or ""
        return response

    app.asgi_app = RequestWatch(app.asgi_app, metrics=metrics, monotonic_s=monotonic_s)  # type: ignore[method-assign]


def note_mounted(route: str, status: int) -> None:
    """Notes the answer of something that is served beside the application; call it while the request is watched."""
    notes = _noted.get()
    notes.route, notes.status = route, status


def _offered_id(scope: HTTPScope | WebsocketScope) -> str | None:
    name = REQUEST_ID_HEADER.lower().encode()
    return next((value.decode("latin-1") for header, value in scope["headers"] if header.lower() == name), None)
