"""How a family of models writes its tool calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol

ParseCalls = Callable[[str, Sequence[Mapping[str, Any]]], Any]
"""One of mlx-lm's parsers: takes what stands between the marks of calls, and the tools as OpenAI writes them; returns
an object with name and arguments, or a list of such, and raises what comes along when it finds none."""


class Layout(Enum):
    """What stands between the marks of a call.

    OBJECTS: JSON objects with name and arguments, which are read as they come. HEADED: the tool's name, a mark, and its
    arguments as JSON, likewise. OTHER: what only mlx-lm's parser knows, which reads it when it is complete.
    """

    OBJECTS = auto()
    HEADED = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSyntax:
    """How calls are written.

    Attributes:
        layout: See `Layout`.
        start: Text that begins calls; None when a call is the whole answer.
        end: Text that ends one; empty when nothing does.
        header_end: Text between name and arguments of a headed call.
        parse: mlx-lm's parser; None when there is no need of it.
    """

    layout: Layout
    start: str | None
    end: str = ""
    header_end: str = "[ARGS]"
    parse: ParseCalls | None = None

    @property
    def when_forced(self) -> "ToolSyntax":
        """How calls are written that must come: a grammar can only force what it knows."""
        return WHOLE_ANSWER if self.layout is Layout.OTHER else self


TAGGED: Final = ToolSyntax(layout=Layout.OBJECTS, start="<tool_call>", end="</tool_call>")
"""That of Hermes and Qwen, in which models that know no tools are asked to write too."""

WHOLE_ANSWER: Final = ToolSyntax(layout=Layout.OBJECTS, start=None)
"""That of Llama 3: the answer is the object."""

_HEADED: Final = ToolSyntax(layout=Layout.HEADED, start="[TOOL_CALLS]")


class ToolTokenizer(Protocol):
    """What is used of mlx-lm's tokenizer wrapper, which knows a model's syntax by its template or vocabulary."""

    has_tool_calling: bool
    tool_call_start: str | None
    tool_call_end: str | None
    tool_parser: Any


def known_syntax(tokenizer: ToolTokenizer, /) -> ToolSyntax | None:
    """Finds the syntax of a model that mlx-lm knows; None when it knows none."""
    if not tokenizer.has_tool_calling or tokenizer.tool_call_start is None:
        return None
    match tokenizer.tool_parser.__module__.rpartition(".")[2]:
        case "json_tools":
            return TAGGED
        case "mistral":
            return _HEADED
        case _:
            return ToolSyntax(
                layout=Layout.OTHER,
                start=tokenizer.tool_call_start,
                end=tokenizer.tool_call_end or "",
                parse=tokenizer.tool_parser,
            )
