"""Headers that pages of other origins may send and read, where ALLOWED_ORIGINS lets these in.

Clients of the dialects say in headers who they are and what they run on; a browser asks about each of them first.
"""

from typing import Final

from cortex_entrypoints.observation.request_ids import REQUEST_ID_HEADER

_OWN: Final = ("Content-Type", "Last-Event-ID", REQUEST_ID_HEADER)
_ANTHROPIC: Final = (
    "X-Api-Key",
    "Anthropic-Version",
    "Anthropic-Beta",
    "Anthropic-Dangerous-Direct-Browser-Access",
)
_OPENAI: Final = ("OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta")
_OF_BOTH: Final = (
    "Authorization",
    "Idempotency-Key",
    *(
        f"X-Stainless-{fact}"
        for fact in (
            "Arch",
            "Async",
            "Helper",
            "Helper-Method",
            "Lang",
            "OS",
            "Package-Version",
            "Read-Timeout",
            "Retry-Count",
            "Runtime",
            "Runtime-Version",
            "Timeout",
        )
    ),
)

MAY_BE_SENT: Final = (*_OWN, *_OF_BOTH, *_ANTHROPIC, *_OPENAI)
MAY_BE_READ: Final = ("Retry-After", REQUEST_ID_HEADER, "Request-Id")
