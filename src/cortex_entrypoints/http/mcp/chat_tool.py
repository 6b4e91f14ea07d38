"""A tool that asks a model of Cortex, for other programs."""

from typing import Final

from mcp.types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cortex_domain.errors import CortexError
from cortex_domain.event_stream import collect
from cortex_domain.generation import FinishReason
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.request_bodies import ChatBody, ChatDefaults

CHAT: Final = "chat"

_CUT: Final = "[The answer is cut: it reached the longest length.]"


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    message: str = Field(min_length=1, description="What to ask.")
    model: str | None = Field(default=None, description="Id or alias of a model. Without it, the default answers.")
    system: str | None = Field(default=None, description="How the model is to behave.")


CHAT_TOOL: Final = Tool(
    name=CHAT,
    description="Asks a language model that runs on the machine of Cortex. It knows nothing of earlier questions.",
    input_schema=_Arguments.model_json_schema(),
    annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=False, open_world_hint=False),
)


async def use_chat(cortex: Cortex, defaults: ChatDefaults, arguments: dict[str, object], /) -> CallToolResult:
    """Answers a question; what goes wrong is told by the result."""
    try:
        asked = _Arguments.model_validate(arguments)
        request = _body(asked).to_domain(defaults)
        async with cortex.generate_text(request) as events:
            answer = await collect(events)
    except ValidationError as exc:
        error = exc.errors()[0]
        return _failure("invalid_arguments", f"{'.'.join(map(str, error['loc']))}: {error['msg']}")
    except CortexError as exc:
        return _failure(exc.code, exc.message)
    content = [TextContent(text=answer.text)]
    if answer.finish_reason is FinishReason.LENGTH:
        content.append(TextContent(text=_CUT))
    return CallToolResult(content=list(content))


def _body(asked: _Arguments) -> ChatBody:
    messages = [{"role": "user", "content": asked.message}]
    if asked.system is not None:
        messages.insert(0, {"role": "system", "content": asked.system})
    return ChatBody.model_validate({"messages": messages, "model": asked.model})


def _failure(code: str, message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=f"{code}: {message}")], is_error=True)
