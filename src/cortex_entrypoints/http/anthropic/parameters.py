"""Parameters of Anthropic's that are taken and change nothing here.

A parameter that changes the answer is honoured, or refused by name: the bodies' types leave it only the values that ask
for nothing. One that only changes how Anthropic bills, stores or routes a request, or keeps long chats within bounds
that are not this server's, is listed among the answer's warnings, because its clients send it without being asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

WARNED: Final = frozenset(
    {
        "billing_policy",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "service_tier",
        "speed",
        "user_profile_id",
        "workspace_id",
    }
)

_ASKS_FOR_NOTHING: Final = {"service_tier": "auto", "speed": "standard"}


def warnings_of(values: Mapping[str, Any], /) -> Iterator[str]:
    """Names what was sent and changes nothing, one sentence each."""
    for parameter in sorted(WARNED & values.keys()):
        if values[parameter] not in (None, _ASKS_FOR_NOTHING.get(parameter)):
            yield _without_effect(parameter)
    if any(tool.input_examples for tool in values.get("tools") or ()):
        yield _without_effect("tools.input_examples")
    if getattr(values.get("thinking"), "budget_tokens", None) is not None:
        yield _without_effect("thinking.budget_tokens")


def _without_effect(parameter: str) -> str:
    return f"{parameter} has no effect on this server."
