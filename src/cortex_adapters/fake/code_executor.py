"""Code executor that runs nothing: what each code comes to is stated beforehand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from cortex_domain.code_execution import CodeError, CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.ports import CodeExecutor

CodeStandIn = Callable[[CodeRequest], Awaitable[CodeResult]]
"""Does what the code would do, in its place. What it raises is what the code raises."""

_NOTHING = CodeResult(status=CodeStatus.OK)


class FakeCodeExecutor(CodeExecutor):
    """Answers code with results, within the limits of each request.

    Args:
        answers: What each code comes to: a result, or a function in its place.
        otherwise: What any other code comes to.

    Attributes:
        requests: What it was asked to run, in order.
    """

    def __init__(
        self,
        answers: Mapping[str, CodeResult | CodeStandIn] = MappingProxyType({}),
        *,
        otherwise: CodeResult | CodeStandIn = _NOTHING,
    ) -> None:
        self._answers = answers
        self._otherwise = otherwise
        self.requests: list[CodeRequest] = []

    @property
    def description(self) -> str:
        """What a model would be told."""
        return "Python that is not run."

    async def check(self) -> None:
        """Passes."""

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        """Looks the code up, and has its stand-in work for as long as the code might."""
        self.requests.append(request)
        answer = self._answers.get(request.code, self._otherwise)
        if isinstance(answer, CodeResult):
            return _bounded(answer, request.limits)
        running = asyncio.ensure_future(answer(request))
        try:
            await asyncio.wait((running,), timeout=request.limits.timeout_s)
            return _bounded(running.result(), request.limits) if running.done() else _late(request.limits)
        except Exception as exc:  # noqa: BLE001 - code may raise anything, and so may what stands for it
            return _failed(CodeStatus.ERROR, exc)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def close(self) -> None:
        """Holds nothing."""


def _bounded(result: CodeResult, limits: CodeLimits) -> CodeResult:
    printed = result.stdout.encode()
    if len(printed) <= limits.output_bytes:
        return result
    cut = printed[: limits.output_bytes].decode(errors="ignore")
    error = CodeError(type="OverflowError", message=f"It printed more than {limits.output_bytes} bytes.")
    return replace(result, status=CodeStatus.OUTPUT_EXCEEDED, stdout=cut, value=None, error=error)


def _late(limits: CodeLimits) -> CodeResult:
    return _failed(CodeStatus.TIMED_OUT, TimeoutError(f"It took more than {limits.timeout_s} seconds."))


def _failed(status: CodeStatus, error: Exception) -> CodeResult:
    return CodeResult(status=status, error=CodeError(type=type(error).__name__, message=str(error)))
