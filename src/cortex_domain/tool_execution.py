"""Tools that Cortex itself uses on a model's behalf: what they do, what they are told, what they return."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, Literal, Protocol

from cortex_domain.errors import InvalidRequestError
from cortex_domain.tools import ToolDefinition

DEFAULT_TOOL_TIMEOUT_S = 60.0


class ToolEffect(StrEnum):
    """What using a tool may do, besides computing.

    READS_LOCAL: it reads what belongs to the person who runs Cortex. WRITES_LOCAL: it changes that. RUNS_CODE: it
    executes what the model wrote. NETWORK: it speaks to other machines. SPENDS: it costs money.
    """

    READS_LOCAL = "reads_local"
    WRITES_LOCAL = "writes_local"
    RUNS_CODE = "runs_code"
    NETWORK = "network"
    SPENDS = "spends"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDescriptor:
    """A tool that Cortex can use, and what whoever lets it should know.

    Attributes:
        definition: What the model is told.
        effects: What using it may do; none when it only computes.
        is_idempotent: Using it again with the same arguments changes nothing more, so that it may be repeated after a
            failure or a crash.
        is_concurrent: It may run at the same time as other calls.
        is_trusted: Its results come from this machine or its operator. What others wrote (a web page, a file that
            somebody sent, the tools of a foreign server) is untrusted: it may try to give the model orders.
        timeout_s: Seconds after which a use of it is given up; above 0.
    """

    definition: ToolDefinition
    effects: frozenset[ToolEffect] = frozenset()
    is_idempotent: bool = False
    is_concurrent: bool = False
    is_trusted: bool = True
    timeout_s: float = DEFAULT_TOOL_TIMEOUT_S

    def __post_init__(self) -> None:
        if not (isfinite(self.timeout_s) and self.timeout_s > 0):
            raise InvalidRequestError(f"The tool {self.name!r} needs a timeout_s above 0.", parameter="timeout_s")

    @property
    def name(self) -> str:
        """Name of the tool."""
        return self.definition.name


class CompanionTools(Protocol):
    """Other tools, for a tool that uses some while it works: those that nobody has to be asked about."""

    @abstractmethod
    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools that may be used now.

        Raises:
            ResourceUnavailableError: They cannot be listed now.
        """

    @abstractmethod
    async def use(self, name: str, arguments: Mapping[str, Any], /) -> "ToolFinished":
        """Uses one of them; what cannot be used, or fails, ends with an error in the result.

        Raises:
            ResourceUnavailableError: They cannot be listed now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool knows of the call besides its arguments.

    A call that is given up is cancelled as a task is; a tool that works elsewhere (a thread, a process) ends that work
    before the cancellation passes on.

    Attributes:
        call_id: Names the call.
        owner: On whose behalf; None when nobody told.
        run_id: The agent run that it belongs to; None outside of one.
        deadline_s: When the call is given up, on the clock's `monotonic_s`.
        report_progress: Tells whoever watches how far it is: a sentence, and the share that is done, from 0 to 1, or
            None.
        companions: Other tools that it may use while it works; None where there are none.
    """

    call_id: str
    owner: str | None = None
    run_id: str | None = None
    deadline_s: float
    report_progress: Callable[[str, float | None], None]
    companions: CompanionTools | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolText:
    """Text that a tool returned.

    Attributes:
        text: Any Unicode text.
    """

    type: Literal["text"] = "text"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolJson:
    """A value that a tool returned.

    Attributes:
        value: What JSON can say: None, a truth value, a finite number, text, or lists and mappings of these.
    """

    type: Literal["json"] = "json"
    value: Any = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolImage:
    """A picture that a tool returned.

    Attributes:
        data: The encoded file.
        media_type: Its MIME type, for example `image/png`.
    """

    type: Literal["image"] = "image"
    data: bytes
    media_type: str


ToolContent = ToolText | ToolJson | ToolImage


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """What a tool returns when it does not fail.

    Attributes:
        content: In order; may be empty.
        is_trusted: None takes the descriptor's word; False says that this output holds what others wrote.
    """

    content: tuple[ToolContent, ...] = ()
    is_trusted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolError:
    """Why a tool did not do what was asked, for the model and for people.

    Attributes:
        code: Stable identifier in snake_case, for example `invalid_arguments` or `timeout`.
        message: What to do otherwise, in a sentence or two.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One use of a tool.

    Attributes:
        id: Names the call; not empty.
        name: The tool.
        arguments: What it is told, as the model or the caller wrote it; not yet checked.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool begins to work.

    Attributes:
        call_id: The call.
        name: The tool.
        arguments: What it was told.
    """

    type: Literal["tool_started"] = "tool_started"
    call_id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress:
    """A tool tells how far it is.

    Attributes:
        call_id: The call.
        message: A sentence; may be empty.
        fraction: The share that is done, from 0 to 1; None when it cannot be told.
    """

    type: Literal["tool_progress"] = "tool_progress"
    call_id: str
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """What came of a call; each call has exactly one.

    Attributes:
        call_id: The call.
        name: The tool.
        status: `ok`, or `error` with an `error`.
        content: What the tool returned, cut to what is allowed; beside an error what there was until then.
        error: Why it failed; None when it did not.
        is_trusted: Whether the content comes from this machine or its operator.
        is_truncated: Whether content was cut.
        attempts: How often the tool was tried; 0 when it was never begun.
        duration_ms: From the start of the first attempt to the end of the last, in milliseconds.
    """

    type: Literal["tool_result"] = "tool_result"
    call_id: str
    name: str
    status: Literal["ok", "error"]
    content: tuple[ToolContent, ...] = ()
    error: ToolError | None = None
    is_trusted: bool = True
    is_truncated: bool = False
    attempts: int = 1
    duration_ms: float = 0.0


ToolEvent = ToolStarted | ToolProgress | ToolFinished
