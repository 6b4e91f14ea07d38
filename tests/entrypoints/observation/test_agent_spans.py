"""Spans of agent runs, as an exporter gets them."""

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolUse
from cortex_domain.agent_run_events import ApprovalDecision, ApprovalGiven
from cortex_domain.errors import GeneratorBusyError, ToolFailedError
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.observation.agent_spans import AgentSpans
from tests.domain.use_cases.agent_bench import MOLE, AgentBench, calling, to


async def spans_of(bench: AgentBench, *, captures_content: bool = False) -> dict[str, ReadableSpan]:
    """Runs an agent that may ask a rat, approves all that it asks, and returns its spans by their names."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = AgentSpans(captures_content=captures_content, tracer=provider.get_tracer("test"))
    runs = AgentRuns(
        store=bench.store,
        run_agent=bench.run_agent,
        start_agent_run=bench.start_run,
        decide_approval=bench.decide_approval,
        cancel_agent_run=bench.cancel_run,
        get_agent_run=bench.get_run,
        watch=spans.watch,
    )
    run_id = (await runs.begin(replace(MOLE, sub_agents=("rat",)), "Dig.", owner="me")).started.run_id
    while (state := await runs.until_settled(run_id, owner=None)).finished is None:
        for request in state.pending_approvals:
            decision = ApprovalGiven(call_id=request.call_id, decision=ApprovalDecision.APPROVED)
            await runs.decide(run_id, decision, owner=None)
    await runs.stop()
    return {span.name: span for span in exporter.get_finished_spans()}


def _attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def _is_below(span: ReadableSpan, above: ReadableSpan) -> bool:
    return span.parent is not None and above.context is not None and span.parent.span_id == above.context.span_id


async def test_steps_and_tools_are_below_the_agent() -> None:
    spans = await spans_of(AgentBench(script=[calling(to("look")), "Done."]))
    agent, chat, tool = spans["invoke_agent mole"], spans["chat"], spans["execute_tool look"]
    assert _is_below(chat, agent)
    assert _is_below(tool, agent)
    assert _attributes(tool) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.provider.name": "cortex",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.call.id": "call_1_1",
    }
    assert _attributes(chat)["gen_ai.response.finish_reasons"] == ("stop",)
    assert _attributes(agent)["gen_ai.usage.input_tokens"]


async def test_an_agent_that_is_asked_is_below_the_call() -> None:
    bench = AgentBench(
        script=[calling(to("ask_rat", task="Look.")), "A root.", "A root."],
        agents=[replace(MOLE, name="rat", model=ECHO_MODEL)],
    )
    spans = await spans_of(bench)
    assert _is_below(spans["invoke_agent rat"], spans["execute_tool ask_rat"])
    assert _is_below(spans["chat fake/echo"], spans["invoke_agent rat"])
    assert _attributes(spans["chat fake/echo"])["gen_ai.request.model"] == ECHO_MODEL


async def test_what_fails_says_why() -> None:
    bench = AgentBench(
        script=[calling(to("dig")), *[ScriptedReply(refusal=GeneratorBusyError("Later."))] * 9],
        uses={"dig": [ScriptedToolUse(error=ToolFailedError("Stone.", reason="stone"))]},
    )
    spans = await spans_of(bench)
    errors = {name: _attributes(span).get("error.type") for name, span in spans.items()}
    assert (errors["execute_tool dig"], errors["invoke_agent mole"]) == ("stone", "generator_busy")


@pytest.mark.parametrize("captures_content", [True, False])
async def test_content_is_captured_only_when_asked_for(captures_content: bool) -> None:
    bench = AgentBench(script=[calling(to("write", text="secret")), "Done."])
    spans = await spans_of(bench, captures_content=captures_content)
    attributes = _attributes(spans["execute_tool write"])
    assert (attributes.get("gen_ai.tool.call.arguments") == '{"text": "secret"}') == captures_content
    assert ("gen_ai.tool.call.result" in attributes) == captures_content
    assert ("secret" in str([span.to_json() for span in spans.values()])) == captures_content
