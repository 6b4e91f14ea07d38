"""What this server is, and how it is doing."""

from collections.abc import Set
from typing import Literal

from quart import Blueprint, Response

from cortex_domain.engine_status import EngineStatus
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.response_bodies import FeatureHealth, Health, MemoryHealth, Welcome
from cortex_entrypoints.settings import Settings
from cortex_entrypoints.version import installed_version

_FEATURES = ("web_search", "code_execution", "file_operations", "agents")
_LINKS = {
    "health": "/api/health",
    "models": "/api/models",
    "chat": "/api/chat/completions",
    "chat_stream": "/api/chat/completions/stream",
    "chat_websocket": "/api/chat/ws",
    "tools": "/api/tools",
    "metrics": "/metrics",
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
        return json_response(Welcome(name="Cortex", version=installed_version(), links=_LINKS))

    @routes.get("/api/health")
    @documented(OperationNotes(tag="server", answer=Health, unhealthy=True))
    async def health() -> Response:
        """Tells whether the server can serve, and with what.

        503 while it cannot; `reason` says why.
        """
        engine = cortex.engine_monitor.status()
        status = _status(engine, in_flight)
        body = Health(
            status=status,
            reason=engine.failure or ("The server is stopping." if status == "draining" else None),
            version=installed_version(),
            environment=settings.environment,
            uptime_s=cortex.clock.monotonic_s() - started_s,
            device=engine.device,
            loaded_models=[model.id for model in cortex.loaded_models()],
            memory=MemoryHealth(active_bytes=engine.active_memory_bytes, peak_bytes=engine.peak_memory_bytes),
            active_requests=engine.active_requests,
            waiting_requests=engine.waiting_requests,
            default_model=cortex.default_model_preparation.status,
            features=_features(settings, cortex.features),
        )
        return json_response(body, status=200 if status == "ok" else 503)

    return routes


def _status(engine: EngineStatus, in_flight: InFlight) -> Literal["ok", "draining", "failed"]:
    if engine.failure is not None:
        return "failed"
    return "draining" if in_flight.draining.is_set() else "ok"


def _features(settings: Settings, available: Set[str]) -> dict[str, FeatureHealth]:
    """Tells of each feature whether it was asked for, and whether it is there."""
    return {
        name: FeatureHealth(requested=getattr(settings, f"enable_{name}"), available=name in available)
        for name in _FEATURES
    }
