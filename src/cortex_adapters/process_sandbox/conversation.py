"""Speaks with the program inside: tells it what to run, and calls functions for it."""

import json
from typing import Any

from pydantic import ValidationError

from cortex_adapters.process_sandbox.messages import End, Message
from cortex_adapters.process_sandbox.sandboxed_process import SandboxedProcess
from cortex_domain.code_execution import CodeLimits, CodeRequest

_PROCESSES = 32
_FILES = 256


class Conversation:
    """One run.

    Args:
        process: The program inside.
        request: What it is to run.
    """

    def __init__(self, process: SandboxedProcess, request: CodeRequest) -> None:
        self._process = process
        self._request = request

    async def is_ready(self) -> bool:
        """Waits until the program inside has started; False when it ended instead."""
        message = await self._hear()
        return message is not None and message.ready

    async def end(self) -> End | None:
        """Has the code run to its end; None when the program inside ended without a word, or said what is none."""
        await self._process.say(_setup(self._request))
        while (message := await self._hear()) is not None and message.end is None:
            await self._process.say(await self._answer(message))
        return None if message is None else message.end

    async def _hear(self) -> Message | None:
        try:
            return Message.model_validate_json(await self._process.hear())
        except (ValidationError, ValueError):
            return None

    async def _answer(self, message: Message) -> dict[str, Any]:
        function = self._request.functions.get(message.call or "")
        if function is None:
            return {"error": "There is no such function."}
        try:
            return {"value": _sayable(await function(*message.args, **message.kwargs))}
        except Exception as exc:  # noqa: BLE001 - whatever it raises is raised inside the code
            return {"error": str(exc)}


def _sayable(value: object, /) -> object:
    """Makes sure that JSON can say a value.

    Raises:
        TypeError: It cannot.
    """
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise TypeError("JSON cannot say what it returned.") from None
    return value


def _setup(request: CodeRequest) -> dict[str, Any]:
    return {
        "code": request.code,
        "inputs": dict(request.inputs),
        "functions": list(request.functions),
        "output_bytes": request.limits.output_bytes,
        "limits": _resource_limits(request.limits),
    }


def _resource_limits(limits: CodeLimits) -> dict[str, int]:
    """Names of the system's limits without their `RLIMIT_`; each holds for one process."""
    return {
        "AS": limits.memory_bytes,
        "CORE": 0,
        "CPU": int(limits.timeout_s) + 2,
        "FSIZE": limits.memory_bytes // 2,
        "NOFILE": _FILES,
        "NPROC": _PROCESSES,
    }
