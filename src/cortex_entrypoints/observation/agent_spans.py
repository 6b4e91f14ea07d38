"""Spans of agent runs for OpenTelemetry, by the GenAI conventions of version 1.37.

https://github.com/open-telemetry/semantic-conventions/tree/v1.37.0/docs/gen-ai

One `invoke_agent` span is one time that a run is worked on, since a run may wait for a person for days; below it are a
`chat` span for each step of the model and an `execute_tool` span for each tool call. What was said and what tools were
told and returned stays out of them unless the settings say otherwise.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_tracer, set_span_in_context

from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunRecord,
    AgentRunStarted,
    AgentRunStatus,
    ModelTurnFinished,
    ModelTurnStarted,
    SubRunFinished,
    SubRunStarted,
)
from cortex_domain.agent_run_log import Tell
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.tool_execution import ToolFinished, ToolStarted
from cortex_domain.tool_result_text import result_part
from cortex_entrypoints.version import installed_version

_SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
_NS_PER_S: Final = 1_000_000_000


class AgentSpans:
    """Makes spans of what happens in runs.

    Args:
        captures_content: Whether the arguments and results of tools become part of their spans.
        tracer: Makes the spans; None takes the one that the program has configured.
    """

    def __init__(self, *, captures_content: bool, tracer: Tracer | None = None) -> None:
        self._captures_content = captures_content
        self._tracer = tracer or get_tracer("cortex", installed_version(), schema_url=_SCHEMA_URL)

    def watch(self, state: AgentRunState, /) -> AbstractContextManager[Tell]:
        """Makes the spans of one time that a run is worked on.

        Args:
            state: The run as it is when the work begins.
        """
        return self._watch(state)

    @contextmanager
    def _watch(self, state: AgentRunState) -> Iterator[Tell]:
        spans = _RunSpans(self._tracer, captures_content=self._captures_content)
        spans.name_model(state.started)
        spans.begin_run(state.started.run_id, state.started.agent.name, above=None, at_s=None)
        try:
            yield spans.take
        finally:
            spans.close()


class _RunSpans:
    """The open spans of a run and of the runs below it, by what they are of."""

    def __init__(self, tracer: Tracer, *, captures_content: bool) -> None:
        self._tracer = tracer
        self._captures_content = captures_content
        self._open: dict[tuple[str, ...], Span] = {}
        self._models: dict[str, str] = {}

    def name_model(self, started: AgentRunStarted) -> None:
        """Notes the model of a run; that of an agent which names none is not known here."""
        if started.agent.model is not None:
            self._models[started.run_id] = started.agent.model

    def begin_run(self, run_id: str, agent: str, *, above: Span | None, at_s: float | None) -> None:
        attributes = {"gen_ai.agent.name": agent, "gen_ai.conversation.id": run_id}
        self._begin((run_id,), "invoke_agent", agent, attributes, above=above, at_s=at_s)

    def take(self, run_id: str, record: AgentRunRecord) -> None:
        match record.event:
            case AgentRunStarted() as started:
                self.name_model(started)
            case ModelTurnStarted():
                self._begin_turn(run_id, record.at_s)
            case ModelTurnFinished() as turn:
                self._end((run_id, "turn"), at_s=record.at_s, attributes=_of_turn(turn))
            case ToolStarted() as call:
                self._begin_call(run_id, call, record.at_s)
            case ToolFinished() as result:
                self._end_call(run_id, result, record.at_s)
            case SubRunStarted() as sub:
                above = self._open.get((run_id, "call", sub.call_id))
                self.begin_run(sub.run_id, sub.agent, above=above, at_s=record.at_s)
            case SubRunFinished() as sub:
                self._end((sub.run_id,), at_s=record.at_s)
            case AgentRunFinished() as end:
                self._end_run(run_id, end, record.at_s)
            case _:
                return

    def close(self) -> None:
        """Ends what is open: the run waits, or goes on another time. What began last ends first."""
        for key in reversed(list(self._open)):
            self._end(key, at_s=None)

    def _begin_turn(self, run_id: str, at_s: float) -> None:
        self._end((run_id, "turn"), at_s=at_s, error="interrupted")
        model = self._models.get(run_id, "")
        attributes = {"gen_ai.request.model": model} if model else {}
        self._begin((run_id, "turn"), "chat", model, attributes, above=self._open.get((run_id,)), at_s=at_s)

    def _begin_call(self, run_id: str, call: ToolStarted, at_s: float) -> None:
        attributes = {"gen_ai.tool.name": call.name, "gen_ai.tool.call.id": call.call_id}
        if self._captures_content:
            attributes["gen_ai.tool.call.arguments"] = json.dumps(dict(call.arguments), ensure_ascii=False)
        key = (run_id, "call", call.call_id)
        self._begin(key, "execute_tool", call.name, attributes, above=self._open.get((run_id,)), at_s=at_s)

    def _end_call(self, run_id: str, result: ToolFinished, at_s: float) -> None:
        attributes = {"gen_ai.tool.call.result": result_part(result).text} if self._captures_content else {}
        error = None if result.error is None else result.error.code
        self._end((run_id, "call", result.call_id), at_s=at_s, attributes=attributes, error=error)

    def _end_run(self, run_id: str, end: AgentRunFinished, at_s: float) -> None:
        attributes = {
            "gen_ai.usage.input_tokens": end.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": end.usage.completion_tokens,
        }
        is_well = end.status in (AgentRunStatus.COMPLETED, AgentRunStatus.CANCELLED)
        self._end((run_id,), at_s=at_s, attributes=attributes, error=None if is_well else end.reason)

    def _begin(
        self,
        key: tuple[str, ...],
        operation: str,
        name: str,
        attributes: Mapping[str, Any],
        *,
        above: Span | None,
        at_s: float | None,
    ) -> None:
        self._open[key] = self._tracer.start_span(
            f"{operation} {name}".strip(),
            context=None if above is None else set_span_in_context(above),
            kind=SpanKind.INTERNAL,
            attributes={"gen_ai.operation.name": operation, "gen_ai.provider.name": "cortex", **attributes},
            start_time=_ns(at_s),
        )

    def _end(
        self,
        key: tuple[str, ...],
        *,
        at_s: float | None,
        attributes: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(dict(attributes or {}))
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(at_s))


def _of_turn(turn: ModelTurnFinished) -> Mapping[str, Any]:
    return {
        "gen_ai.usage.input_tokens": turn.prompt_tokens,
        "gen_ai.usage.output_tokens": turn.completion_tokens,
        "gen_ai.response.finish_reasons": [turn.finish_reason.value],
    }


def _ns(at_s: float | None) -> int | None:
    """Nanoseconds since the Unix epoch; None is now."""
    return None if at_s is None else int(at_s * _NS_PER_S)
