"""What the program inside the sandbox says; it may be anything, because the code can speak in its place."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from cortex_domain.code_execution import CodeError, CodeFrame, CodeResult, CodeStatus

_WRONG: Final = CodeError(type="SystemError", message="It ended without saying why.")


class End(BaseModel):
    """How the code ended, as the program inside tells it."""

    model_config = ConfigDict(strict=True)

    status: Literal["ok", "error", "memory_exceeded", "output_exceeded"]
    value: Any = None
    is_value_repr: bool = False
    error: tuple[str, str, list[tuple[int, str | None, str]]] | None = None

    def result(self) -> CodeResult:
        """Makes a result of it, without what was printed."""
        if self.status == "ok":
            return CodeResult(status=CodeStatus.OK, value=self.value, is_value_repr=self.is_value_repr)
        return CodeResult(status=CodeStatus(self.status), error=self._error())

    def _error(self) -> CodeError:
        if self.error is None:
            return _WRONG
        kind, message, frames = self.error
        return CodeError(
            type=kind,
            message=message,
            frames=tuple(CodeFrame(line=line, function=function, source=source) for line, function, source in frames),
        )


class Message(BaseModel):
    """One line from inside.

    Attributes:
        ready: It has started.
        call: The function that the code calls.
        args: With these arguments,
        kwargs: and these by name.
        end: The code has ended.
    """

    model_config = ConfigDict(strict=True)

    ready: bool = False
    call: str | None = None
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    end: End | None = None
