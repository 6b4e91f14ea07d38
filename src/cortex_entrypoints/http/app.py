"""The Quart application: routes, errors, checks and documentation put together."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from quart import Quart, Response, request, websocket
from quart_cors import cors
from quart_schema import QuartSchema

from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.agent_routes import agent_routes
from cortex_entrypoints.http.agent_run_routes import agent_run_routes
from cortex_entrypoints.http.anthropic.routes import anthropic_routes
from cortex_entrypoints.http.asgi_connections import install_connections
from cortex_entrypoints.http.chat_routes import chat_routes
from cortex_entrypoints.http.compatibility.manifest import manifest_of
from cortex_entrypoints.http.cross_origin_headers import MAY_BE_READ, MAY_BE_SENT
from cortex_entrypoints.http.dialect_model_routes import dialect_model_routes
from cortex_entrypoints.http.dialect_refusals import refusal_in_dialect
from cortex_entrypoints.http.documentation_pages import documentation_routes
from cortex_entrypoints.http.error_responses import install_error_responses
from cortex_entrypoints.http.generation_routes import generation_routes
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.health_routes import health_routes
from cortex_entrypoints.http.host_check import HostCheck
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.lora_directory import LoraDirectory
from cortex_entrypoints.http.metrics_route import metrics_route
from cortex_entrypoints.http.model_names import ModelNameConverter
from cortex_entrypoints.http.model_routes import model_routes
from cortex_entrypoints.http.openai.responses.kept_routes import ResponseIdConverter
from cortex_entrypoints.http.openai.responses.routes import response_routes
from cortex_entrypoints.http.openai.routes import openai_routes
from cortex_entrypoints.http.openapi import API_INFO, ApiDescription
from cortex_entrypoints.http.origin_check import OriginCheck
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.request_reading import BODY_PATIENCE_S, MAX_BODY_BYTES, finish_upload
from cortex_entrypoints.http.request_watch import watch_requests
from cortex_entrypoints.http.socket_agents import SocketAgents
from cortex_entrypoints.http.tool_routes import tool_routes
from cortex_entrypoints.missing_packages import missing_package
from cortex_entrypoints.observation.agent_run_metrics import AgentRunCollector
from cortex_entrypoints.observation.metrics import Metrics
from cortex_entrypoints.observation.watched_generations import WatchedGenerations
from cortex_entrypoints.settings import Settings

_BYTES_PER_MB: Final = 1_000_000


def create_app(cortex: Cortex, settings: Settings, *, in_flight: InFlight | None = None) -> Quart:
    """Builds the application; it starts and stops nothing.

    Args:
        cortex: The use cases, started.
        settings: Addresses, origins and defaults.
        in_flight: Counts the work; the server that runs the app drains it. None makes one that nobody drains.

    Raises:
        SettingsError: A setting needs a package that is not installed.
    """
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_PATIENCE_S
    app.url_map.merge_slashes = False
    app.url_map.converters["model"] = ModelNameConverter
    app.url_map.converters["response"] = ResponseIdConverter
    in_flight = in_flight or InFlight()
    metrics = Metrics(
        engine_monitor=cortex.engine_monitor, loaded_models=cortex.loaded_models, tool_tally=cortex.tool_tally
    )
    if settings.enable_agents:
        metrics.registry.register(AgentRunCollector(cortex.agent_runs))
    watched = _watched(cortex, metrics, in_flight, settings)
    if settings.enable_mcp_server:
        _mount_mcp(app, watched, settings, in_flight)
    install_connections(app)
    watch_requests(app, metrics, cortex.clock.monotonic_s)
    install_error_responses(app, log_refusals=settings.debug, refusal_of=refusal_in_dialect)
    _install_checks(app, settings)
    _install_headers(app, settings)
    _register_routes(app, watched, settings, in_flight)
    app.register_blueprint(metrics_route(metrics))
    QuartSchema(
        app,
        info=API_INFO,
        openapi_provider_class=ApiDescription,
        swagger_ui_path=None,
        redoc_ui_path=None,
        scalar_ui_path=None,
    )
    return app


def _watched(cortex: Cortex, metrics: Metrics, in_flight: InFlight, settings: Settings) -> Cortex:
    watched = WatchedGenerations(
        cortex, metrics=metrics, is_stopping=lambda: in_flight.has_ended, shows_prompts=settings.debug
    )
    return replace(
        cortex,
        generate_text=watched.generate_text,
        resume_generation=watched.resume_generation,
        chat_with_tools=cortex.chat_with_tools.over(watched.generate_text),
    )


def _register_routes(app: Quart, cortex: Cortex, settings: Settings, in_flight: InFlight) -> None:
    defaults = _chat_defaults(cortex, settings)
    app.register_blueprint(health_routes(cortex, settings, in_flight))
    app.register_blueprint(model_routes(cortex, in_flight, LoraDirectory(settings.lora_dir), manifest_of=manifest_of))
    generations = Generations(
        cortex=cortex,
        in_flight=in_flight,
        resumable_for_s=settings.resume_for_s,
        max_bytes=settings.resume_memory_mb * _BYTES_PER_MB,
    )
    app.after_serving(generations.close)
    agents = SocketAgents(registry=cortex.agent_registry, runs=cortex.agent_runs) if settings.enable_agents else None
    app.register_blueprint(chat_routes(cortex, defaults, in_flight, generations, agents=agents))
    app.register_blueprint(generation_routes(generations, in_flight))
    app.register_blueprint(openai_routes(cortex, defaults, in_flight, log_refusals=settings.debug))
    app.register_blueprint(response_routes(cortex, defaults, in_flight, log_refusals=settings.debug))
    app.register_blueprint(anthropic_routes(cortex, defaults, in_flight, log_refusals=settings.debug))
    if agents is not None:
        app.register_blueprint(agent_routes(cortex.agent_registry, cortex.tool_provider, in_flight))
        app.register_blueprint(agent_run_routes(cortex, in_flight))
        app.before_serving(cortex.agent_runs.resume_all)
    app.register_blueprint(tool_routes(cortex, in_flight))
    app.register_blueprint(dialect_model_routes(cortex, log_refusals=settings.debug))
    app.register_blueprint(documentation_routes())


def _chat_defaults(cortex: Cortex, settings: Settings) -> ChatDefaults:
    return ChatDefaults(
        model=cortex.default_model, temperature=settings.default_temperature, top_p=settings.default_top_p
    )


def _mount_mcp(app: Quart, cortex: Cortex, settings: Settings, in_flight: InFlight) -> None:
    try:
        # Imported here, because it may not be installed, and takes a second.
        from cortex_entrypoints.http.mcp import mount_mcp  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise missing_package(exc, variable="ENABLE_MCP_SERVER", extra="mcp") from exc
    mount_mcp(
        app,
        cortex,
        _chat_defaults(cortex, settings),
        check=_stranger_check(settings),
        allowed_origins=settings.allowed_origins,
        in_flight=in_flight,
    )


def _stranger_check(settings: Settings) -> Callable[[str | None, str | None], None]:
    hosts = HostCheck(host=settings.host, allowed_hosts=settings.allowed_hosts)
    origins = OriginCheck(allowed_origins=settings.allowed_origins)

    def require_allowed(host: str | None, origin: str | None) -> None:
        hosts.require_allowed(host)
        origins.require_allowed(origin, host_header=host or "")

    return require_allowed


def _install_checks(app: Quart, settings: Settings) -> None:
    require_allowed = _stranger_check(settings)

    @app.before_request
    async def check_request() -> None:
        require_allowed(request.headers.get("Host"), request.headers.get("Origin"))

    @app.before_websocket
    async def check_handshake() -> None:
        require_allowed(websocket.headers.get("Host"), websocket.headers.get("Origin"))
        if websocket.routing_exception is not None:
            raise websocket.routing_exception


def _install_headers(app: Quart, settings: Settings) -> None:
    @app.after_request
    async def add_headers(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.status_code == 204 or response.content_length == 0:
            response.headers.pop("Content-Type", None)
        return response

    app.after_request(finish_upload)
    cors(
        app,
        allow_origin=settings.allowed_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=MAY_BE_SENT,
        expose_headers=MAY_BE_READ,
        max_age=timedelta(minutes=10),
    )
