"""Tools and their results as clients of the API read them."""

from base64 import b64encode
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import BaseModel, Field

from cortex_domain.tool_execution import (
    ToolContent,
    ToolDescriptor,
    ToolEffect,
    ToolError,
    ToolFinished,
    ToolImage,
    ToolJson,
    ToolText,
)
from cortex_domain.tool_policy import ToolPermission


def _is_none(value: object) -> bool:
    return value is None


class DescribedTool(BaseModel):
    """A tool that Cortex can use, and what decides about its use."""

    name: str
    description: str = Field(description="When and how to use it, for a model.")
    parameters: dict[str, Any] = Field(description="JSON Schema of the arguments, an object.")
    effects: list[ToolEffect] = Field(description="What using it may do; none when it only computes.")
    policy: ToolPermission = Field(
        description="Whether models use it: `allow`, `ask` a person first, `deny`. Agents may have it stricter."
    )
    is_idempotent: bool = Field(description="Whether using it again with the same arguments changes nothing more.")
    is_concurrent: bool = Field(description="Whether it may run at the same time as other calls.")
    is_trusted: bool = Field(description="Whether its results come from this machine or its operator.")
    timeout_s: float = Field(description="Seconds after which a call is given up.")

    @classmethod
    def of(cls, tool: ToolDescriptor, policy: ToolPermission) -> Self:
        """Builds the description."""
        return cls(
            name=tool.name,
            description=tool.definition.description,
            parameters=dict(tool.definition.parameters),
            effects=sorted(tool.effects),
            policy=policy,
            is_idempotent=tool.is_idempotent,
            is_concurrent=tool.is_concurrent,
            is_trusted=tool.is_trusted,
            timeout_s=tool.timeout_s,
        )


class ToolList(BaseModel):
    """Every tool that is switched on."""

    tools: list[DescribedTool]


class ToolTextBody(BaseModel):
    """Text that a tool returned."""

    type: Literal["text"] = "text"
    text: str


class ToolJsonBody(BaseModel):
    """A value that a tool returned."""

    type: Literal["json"] = "json"
    value: Any


class ToolImageBody(BaseModel):
    """A picture that a tool returned."""

    type: Literal["image"] = "image"
    data: str = Field(description="The encoded file, in base64.", json_schema_extra={"contentEncoding": "base64"})
    media_type: str = Field(examples=["image/png"])


ToolContentBody = Annotated[ToolTextBody | ToolJsonBody | ToolImageBody, Field(discriminator="type")]


class ToolErrorBody(BaseModel):
    """Why a tool did not do what was asked."""

    code: str = Field(description="Stable identifier in snake_case.")
    message: str = Field(description="What to do otherwise.")

    @classmethod
    def of(cls, error: ToolError) -> Self:
        """Builds the body of an error."""
        return cls(code=error.code, message=error.message)


class ToolInvocation(BaseModel):
    """What came of using a tool."""

    status: Literal["ok", "error"]
    content: list[ToolContentBody] = Field(description="What the tool returned, in order.")
    error: ToolErrorBody | None = Field(default=None, exclude_if=_is_none, description="Present when it failed.")
    is_trusted: bool = Field(description="False: it holds what others wrote.")
    is_truncated: bool = Field(description="Whether the content was cut to what is allowed.")
    attempts: int = Field(description="How often the tool was tried.")
    duration_ms: float

    @classmethod
    def of(cls, finished: ToolFinished) -> Self:
        """Builds the body of a result."""
        return cls(
            status=finished.status,
            content=[content_body(part) for part in finished.content],
            error=None if finished.error is None else ToolErrorBody.of(finished.error),
            is_trusted=finished.is_trusted,
            is_truncated=finished.is_truncated,
            attempts=finished.attempts,
            duration_ms=finished.duration_ms,
        )


def content_body(part: ToolContent, /) -> ToolTextBody | ToolJsonBody | ToolImageBody:
    """Builds the body of one part of a result."""
    match part:
        case ToolText():
            return ToolTextBody(text=part.text)
        case ToolJson():
            return ToolJsonBody(value=part.value)
        case ToolImage():
            return ToolImageBody(data=b64encode(part.data).decode(), media_type=part.media_type)
        case _:
            assert_never(part)
