"""Tools that a model may ask its caller to use: what they are, and whether it may, must or must not use them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cortex_domain.errors import InvalidRequestError

TOOL_NAME_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
"""What can name a tool, as a regular expression that JSON Schema understands too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """Something that the caller can do on a model's behalf.

    Attributes:
        name: Up to 128 letters, digits, `_` and `-`; no two tools of a request share it.
        description: When and how to use it, for the model; may be empty.
        parameters: JSON Schema of the arguments, which are always an object. The empty schema takes any object.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not re.match(TOOL_NAME_PATTERN, self.name) or "\n" in self.name:
            raise InvalidRequestError(
                f"{self.name[:140]!r} cannot name a tool. Use up to 128 letters, digits, '_' and '-'.",
                parameter="tools",
            )
        if self.parameters.get("type", "object") != "object":
            raise InvalidRequestError(
                f"The parameters of the tool {self.name!r} must be the JSON Schema of an object.", parameter="tools"
            )
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


class ToolChoiceMode(StrEnum):
    """Whether a model uses tools.

    NONE: it does not, and is not told of them. AUTO: as it sees fit. REQUIRED: it uses at least one. NAMED: it uses the
    one that is named.
    """

    NONE = "none"
    AUTO = "auto"
    REQUIRED = "required"
    NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Whether a model uses tools, and which.

    Attributes:
        mode: See `ToolChoiceMode`.
        name: The tool that must be used when the mode is NAMED; None otherwise.
    """

    mode: ToolChoiceMode = ToolChoiceMode.AUTO
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.mode is ToolChoiceMode.NAMED) != (self.name is not None):
            raise InvalidRequestError("tool_choice has a name when its mode is 'named'.", parameter="tool_choice")

    @property
    def is_forced(self) -> bool:
        """Whether an answer without a call would be wrong."""
        return self.mode in (ToolChoiceMode.REQUIRED, ToolChoiceMode.NAMED)
