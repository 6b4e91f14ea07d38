"""Parameters of OpenAI's that are taken and change nothing here.

A parameter that changes the answer is honoured, or refused by name: the body's types leave it only the values that ask
for nothing. One that only changes how OpenAI bills, stores or routes a request is listed among the answer's warnings,
because its clients send it without being asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

WARNED: Final = frozenset(
    {
        "metadata",
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "verbosity",
    }
)


def warnings_of(values: Mapping[str, Any], /, *, is_stream: bool) -> Iterator[str]:
    """Names what was sent and changes nothing, one sentence each."""
    if values.get("stream_options") is not None and not is_stream:
        yield "stream_options has no effect without stream."
    for parameter in sorted(WARNED):
        if values.get(parameter) is not None:
            yield f"{parameter} has no effect on this server."
