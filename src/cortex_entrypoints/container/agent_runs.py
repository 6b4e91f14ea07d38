"""Where agent runs are kept, and who watches them."""

from importlib.util import find_spec
from typing import Final

from cortex_adapters.sqlite import SqliteAgentRunStore
from cortex_entrypoints.agent_runs import Watch
from cortex_entrypoints.settings import Settings

_FILE: Final = "agent_runs.sqlite"


def build_agent_run_store(settings: Settings) -> SqliteAgentRunStore:
    """Builds the store; its file is opened when a run is first asked for."""
    return SqliteAgentRunStore(settings.data_dir / _FILE)


def build_agent_watch(settings: Settings) -> Watch | None:
    """Builds what makes spans of runs; None where OpenTelemetry is not installed."""
    if find_spec("opentelemetry") is None:
        return None
    from cortex_entrypoints.observation.agent_spans import AgentSpans  # noqa: PLC0415 - it may not be installed

    return AgentSpans(captures_content=settings.otel_instrumentation_genai_capture_message_content).watch
