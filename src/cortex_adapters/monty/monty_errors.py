"""Translates what Monty raises into how a run ended."""

from collections.abc import Sequence
from typing import Final

from pydantic_monty import Frame, MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from cortex_adapters.monty.told_value import ValueTooLongError
from cortex_domain.code_execution import CodeError, CodeFrame, CodeStatus

_MOST_FRAMES: Final = 20
_LONGEST_MESSAGE: Final = 2000


def outcome_of(error: MontyError | ValueError, /) -> tuple[CodeStatus, CodeError]:
    """Says how a run ended that raised."""
    match error:
        case MontyCrashedError():
            return _crash(error)
        case MontyRuntimeError():
            return _exception(error.exception(), _frames(error.traceback()))
        case MontySyntaxError():
            return CodeStatus.ERROR, _told(error.exception(), _frames(error.traceback()))
        case ValueTooLongError() | ValueError():  # Monty's own is an integer of too many digits
            return CodeStatus.OUTPUT_EXCEEDED, CodeError(type="ValueError", message="The value is too long to be told.")
        case _:
            return CodeStatus.ERROR, _told(error.exception(), ())


def _crash(error: MontyCrashedError) -> tuple[CodeStatus, CodeError]:
    status = CodeStatus.TIMED_OUT if error.timed_out else CodeStatus.CRASHED
    return status, CodeError(type="SystemError", message="The interpreter ended before the code did.")


def _exception(error: BaseException, frames: tuple[CodeFrame, ...]) -> tuple[CodeStatus, CodeError]:
    # An exception that a limit raises cannot be caught and says no place; one of the code always does.
    match error:
        case TimeoutError() if not frames:
            status = CodeStatus.TIMED_OUT
        case MemoryError():
            status = CodeStatus.MEMORY_EXCEEDED
        case _:
            status = CodeStatus.ERROR
    return status, _told(error, frames)


def _told(error: BaseException, frames: tuple[CodeFrame, ...]) -> CodeError:
    return CodeError(type=type(error).__name__, message=str(error)[:_LONGEST_MESSAGE], frames=frames)


def _frames(frames: Sequence[Frame]) -> tuple[CodeFrame, ...]:
    return tuple(
        CodeFrame(
            line=frame.line,
            function=None if frame.function_name == "<module>" else frame.function_name,
            source=(frame.source_line or "").strip(),
        )
        for frame in frames[-_MOST_FRAMES:]
    )
