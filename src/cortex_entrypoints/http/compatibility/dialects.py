"""Every dialect that is spoken."""

from typing import Final

from cortex_entrypoints.http.compatibility.anthropic_messages import ANTHROPIC_MESSAGES
from cortex_entrypoints.http.compatibility.native import NATIVE
from cortex_entrypoints.http.compatibility.openai_chat import OPENAI_CHAT
from cortex_entrypoints.http.compatibility.openai_completions import OPENAI_COMPLETIONS
from cortex_entrypoints.http.compatibility.openai_responses import OPENAI_RESPONSES

DIALECTS: Final = (NATIVE, OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_RESPONSES, ANTHROPIC_MESSAGES)
