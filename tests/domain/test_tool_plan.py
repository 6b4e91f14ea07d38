from collections.abc import Mapping
from typing import Any

import pytest

from cortex_domain.errors import InvalidToolArgumentsError
from cortex_domain.messages import ToolCallPart
from cortex_domain.tool_execution import ToolCall, ToolDescriptor, ToolEffect
from cortex_domain.tool_plan import MAX_ARGUMENT_BYTES, ToolTerms, plan_calls, tool_call_of
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolDefinition

READ = ToolDescriptor(definition=ToolDefinition(name="read"), effects=frozenset({ToolEffect.READS_LOCAL}))
WRITE = ToolDescriptor(definition=ToolDefinition(name="write"), effects=frozenset({ToolEffect.WRITES_LOCAL}))


def call(name: str, arguments: Mapping[str, Any] | None = None) -> ToolCall:
    return ToolCall(id=f"id-{name}", name=name, arguments=arguments or {})


def test_each_call_is_decided_by_itself_and_in_order() -> None:
    terms = ToolTerms(policies=(ToolPolicy(tools={"shut": ToolPermission.DENY}),))
    shut = ToolDescriptor(definition=ToolDefinition(name="shut"))
    planned = plan_calls([call("write"), call("read"), call("none"), call("shut")], [READ, WRITE, shut], terms)
    assert [plan.permission for plan in planned] == ["ask", "allow", "deny", "deny"]
    assert [plan.tool for plan in planned] == [WRITE, READ, None, shut]
    assert [plan.error and plan.error.code for plan in planned] == [None, None, "tool_not_found", "tool_denied"]


def test_a_model_that_errs_in_a_name_is_told_the_nearest() -> None:
    planned = plan_calls([call("reed"), call("zzz" * 1000)], [READ, WRITE], ToolTerms())
    assert [plan.error and plan.error.message.rpartition("off. ")[2] for plan in planned] == [
        "Did you mean read?",
        "Ask for the list of tools.",
    ]


def test_what_was_approved_is_made_and_what_is_denied_is_not() -> None:
    terms = ToolTerms(policies=(ToolPolicy(tools={"read": ToolPermission.DENY}),), approved=frozenset({"id-write"}))
    planned = plan_calls([call("write"), call("read")], [READ, WRITE], terms)
    assert [plan.permission for plan in planned] == ["allow", "deny"]
    everything = ToolTerms(policies=terms.policies, approved=frozenset({"id-write", "id-read"}))
    assert plan_calls([call("read")], [READ, WRITE], everything)[0].permission == "deny"


def test_after_untrusted_content_even_reading_is_asked_about() -> None:
    planned = plan_calls([call("read")], [READ], ToolTerms(after_untrusted=True))
    assert planned[0].permission is ToolPermission.ASK


@pytest.mark.parametrize("value", ["x" * MAX_ARGUMENT_BYTES, float("nan"), object(), "\ud800"])
def test_arguments_are_bounded_json(value: object) -> None:
    (planned,) = plan_calls([call("read", {"path": value})], [READ], ToolTerms())
    assert planned.error is not None
    assert (planned.permission, planned.error.code) == ("deny", "invalid_arguments")


def test_arguments_within_bounds_pass() -> None:
    fitting = {"path": "x" * (MAX_ARGUMENT_BYTES - len('{"path": ""}'))}
    assert plan_calls([call("read", fitting)], [READ], ToolTerms())[0].permission == "allow"


@pytest.mark.parametrize(("text", "arguments"), [('{"a": 1}', {"a": 1}), ("", {})])
def test_what_a_model_wrote_becomes_a_call(text: str, arguments: Mapping[str, Any]) -> None:
    read = tool_call_of(ToolCallPart(id="c1", name="read", arguments=text))
    assert (read.id, read.name, read.arguments) == ("c1", "read", arguments)


@pytest.mark.parametrize("text", ["[1]", '{"a": ', '{"a": NaN}', "[" * 100_000, "null"])
def test_what_is_no_object_is_told_to_the_model(text: str) -> None:
    with pytest.raises(InvalidToolArgumentsError, match="not a JSON object"):
        tool_call_of(ToolCallPart(id="c1", name="read", arguments=text))
