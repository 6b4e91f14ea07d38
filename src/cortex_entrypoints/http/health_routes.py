"""What this server is, and how it is doing."""

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from quart import Blueprint, Response

from cortex_domain.engine_status import EngineStatus
from cortex_domain.errors import StorageError
from cortex_domain.language_models import ModelId, ModelState
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.response_bodies import FeatureHealth, Health, MemoryHealth, Welcome
from cortex_entrypoints.settings import Settings

_FEATURES = ("web_search", "code_execution", "file_operations", "agents")
_LINKS = {
    "health": "/api/health",
    "models": "/api/models",
    "chat": "/api/chat/completions",
    "chat_stream": "/api/chat/completions/stream",
    "chat_websocket": "/api/chat/ws",
    "docs": "/docs",
    "reference": "/redoc",
    "openapi": "/openapi.json",
    "websocket_protocol": "/docs/websocket.md",
}


def health_routes(cortex: Cortex, settings: Settings, in_flight: InFlight) -> Blueprint:
    """Builds the routes `/` and `/api/health`."""
    routes = Blueprint("health", __name__)
    started_s = cortex.clock.monotonic_s()

    @routes.get("/")
    @documented(OperationNotes(tag="server", answer=Welcome))
    async def welcome() -> Response:
        """Says what this server is and where to go on."""
        return json_response(Welcome(name="Cortex", version=_version(), links=_LINKS))

    @routes.get("/api/health")
    @documented(OperationNotes(tag="server", answer=Health, unhealthy=True, errors=(StorageError,)))
    async def health() -> Response:
        """Tells whether the server can serve, and with what.

        503 while it cannot; `reason` says why.
        """
        engine = cortex.engine_monitor.status()
        status = _status(engine, in_flight)
        body = Health(
            status=status,
            reason=engine.failure or ("The server is stopping." if status == "draining" else None),
            version=_version(),
            uptime_s=cortex.clock.monotonic_s() - started_s,
            device=engine.device,
            loaded_models=await _loaded_models(cortex),
            memory=MemoryHealth(active_bytes=engine.active_memory_bytes, peak_bytes=engine.peak_memory_bytes),
            active_requests=engine.active_requests,
            waiting_requests=engine.waiting_requests,
            default_model=cortex.default_model_preparation.status,
            features=_features(settings),
        )
        return json_response(body, status=200 if status == "ok" else 503)

    return routes


def _version() -> str:
    try:
        return version("cortex-platform")
    except PackageNotFoundError:
        return "0+source"


def _status(engine: EngineStatus, in_flight: InFlight) -> Literal["ok", "draining", "failed"]:
    if engine.failure is not None:
        return "failed"
    return "draining" if in_flight.draining.is_set() else "ok"


async def _loaded_models(cortex: Cortex) -> list[ModelId]:
    return [model.id for model in await cortex.list_models() if model.state is ModelState.LOADED]


def _features(settings: Settings) -> dict[str, FeatureHealth]:
    """Tells of each feature whether it was asked for; none is built yet."""
    return {name: FeatureHealth(requested=getattr(settings, f"enable_{name}"), available=False) for name in _FEATURES}
