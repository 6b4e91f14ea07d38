"""Code that somebody else wrote, a model as a rule, and what came of running it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

from cortex_domain.errors import InvalidRequestError

CodeFunction = Callable[..., Awaitable[Any]]
"""What code may call: takes and returns what JSON can say. What it raises is raised inside the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLimits:
    """What one run may take.

    Attributes:
        timeout_s: Seconds from its start to its end, sleeping and waiting for functions included; above 0.
        memory_bytes: Memory that it may take, and again what the files that it writes may take, in bytes; at least
            16 MiB.
        output_bytes: What it may print, and again what its value may take, in bytes of UTF-8; at least 1.
    """

    timeout_s: float = 10.0
    memory_bytes: int = 512 * 2**20
    output_bytes: int = 64_000

    def __post_init__(self) -> None:
        if not (isfinite(self.timeout_s) and self.timeout_s > 0):
            raise InvalidRequestError("Code needs a timeout_s above 0.", parameter="timeout_s")
        if self.memory_bytes < _LEAST_MEMORY_BYTES:
            raise InvalidRequestError("Code needs memory_bytes of at least 16 MiB.", parameter="memory_bytes")
        if self.output_bytes < 1:
            raise InvalidRequestError("Code needs output_bytes of at least 1.", parameter="output_bytes")


_LEAST_MEMORY_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """Code to run.

    Attributes:
        code: Python, as in a module.
        inputs: Variables that are there when it begins, by name; what JSON can say.
        functions: What it may call, by name, as plain functions: it waits for them without `await`. Whoever hands a
            function in lets it be used; nothing here asks again.
        limits: What it may take.
    """

    code: str
    inputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    functions: Mapping[str, CodeFunction] = field(default_factory=dict, hash=False)
    limits: CodeLimits = CodeLimits()

    def __post_init__(self) -> None:
        for name in (*self.inputs, *self.functions):
            if not name.isidentifier():
                raise InvalidRequestError(f"{name[:80]!r} cannot name a variable of Python.", parameter="inputs")


class CodeStatus(StrEnum):
    """How a run ended.

    OK: it came to its end. ERROR: it raised, or is no Python. TIMED_OUT, MEMORY_EXCEEDED, OUTPUT_EXCEEDED: it was
    ended at a limit. CRASHED: what ran it ended before it did.
    """

    OK = "ok"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    MEMORY_EXCEEDED = "memory_exceeded"
    OUTPUT_EXCEEDED = "output_exceeded"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFrame:
    """A place in the code that an exception passed.

    Attributes:
        line: Number of the line in the code, from 1.
        function: The function that it is in; None at the top.
        source: The line itself without its indent; empty when nobody could tell.
    """

    line: int
    function: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeError:
    """What the code raised, or what ended it.

    Attributes:
        type: Name of the exception's class, as in `ValueError`.
        message: What it says; may be empty.
        frames: Where it passed in the code, outermost first; nothing of what ran the code. Empty when nobody could
            tell.
    """

    type: str
    message: str
    frames: tuple[CodeFrame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeResult:
    """What came of a run.

    Attributes:
        status: How it ended.
        stdout: What it printed, at most `output_bytes` together with `stderr`.
        stderr: What it printed there.
        value: What the last line was worth if that is an expression, as JSON can say it; else None.
        is_value_repr: JSON cannot say the value, and `value` is the text that Python shows for it.
        error: Why it did not come to its end; None when the status is `ok`.
        duration_s: Seconds that it took.
    """

    status: CodeStatus
    stdout: str = ""
    stderr: str = ""
    value: Any = field(default=None, hash=False)
    is_value_repr: bool = False
    error: CodeError | None = None
    duration_s: float = 0.0
