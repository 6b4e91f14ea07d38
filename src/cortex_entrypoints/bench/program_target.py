"""A program that answers bursts through its standard input and output, for generators that are no servers.

It first writes one line that says what it is, and then one for each line that it reads:

    {"name": …, "details": {…}}
    {"prompts": […], "max_tokens": …, "temperature": …, "top_p": …}
    {"answers": [{"texts_s": […], "ended_s": …, "prompt_tokens": …, "completion_tokens": …, "finish_reason": …}, …]}

Times are seconds since it began to compute the burst. `benchmarks/mlx_lm_generator.py` is such a program.
"""

import asyncio
import json
import shlex
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from cortex_entrypoints.bench.measurements import Answer, Usage
from cortex_entrypoints.bench.target import Sampling, Target, TargetError, TargetFacts

_LONGEST_LINE_BYTES = 2**26


class ProgramTarget(Target):
    """Measures what a program says of itself: it shares a machine with the others, but no clock."""

    def __init__(self, command: str, *, timeout_s: float) -> None:
        """Starts nothing yet.

        Args:
            command: The program and its arguments, as in a shell.
            timeout_s: Seconds within which it must begin, and answer each burst.
        """
        self._command, self._timeout_s = command, timeout_s

    @property
    def facts(self) -> TargetFacts:
        """What the program says it is."""
        return TargetFacts(name=str(self._said["name"]), kind="program", details=self._details)

    @property
    def _details(self) -> dict[str, str]:
        said = {key: str(value) for key, value in self._said.get("details", {}).items()}
        return {"command": self._command, **said}

    async def __aenter__(self) -> Self:
        """Starts the program.

        Raises:
            TargetError: It cannot be started, or does not say what it is.
        """
        try:
            self._process: Process = await asyncio.create_subprocess_exec(
                *shlex.split(self._command), stdin=PIPE, stdout=PIPE, limit=_LONGEST_LINE_BYTES
            )
        except (OSError, ValueError) as exc:
            raise TargetError(f"{self._command} cannot be started: {exc}") from exc
        self._said = await self._read_line()
        if "name" not in self._said:
            raise TargetError(f"{self._command} does not say its name.")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the program."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def answer_all(
        self, prompts: Sequence[str], sampling: Sampling, *, on_answer: Callable[[], None]
    ) -> Sequence[Answer]:
        """Asks for one burst.

        Raises:
            TargetError: The program ended, or answered something else.
        """
        await self._write_line(
            {
                "prompts": list(prompts),
                "max_tokens": sampling.max_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
            }
        )
        said = await self._read_line()
        try:
            answers = [_answer(fields) for fields in said["answers"]]
        except (KeyError, TypeError) as exc:
            raise TargetError(f"{self._command} answered what cannot be understood: {exc!r}") from exc
        for _ in answers:
            on_answer()
        return answers

    async def _write_line(self, fields: dict[str, Any]) -> None:
        assert self._process.stdin is not None, "it is a pipe"
        try:
            self._process.stdin.write(json.dumps(fields).encode() + b"\n")
            await self._process.stdin.drain()
        except OSError as exc:
            raise TargetError(f"{self._command} has ended.") from exc

    async def _read_line(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "it is a pipe"
        try:
            async with asyncio.timeout(self._timeout_s):
                line = await self._process.stdout.readline()
            said = json.loads(line)
        except TimeoutError as exc:
            raise TargetError(f"{self._command} said nothing for {self._timeout_s:g} s.") from exc
        except ValueError as exc:
            raise TargetError(f"{self._command} ended, or wrote something else than JSON.") from exc
        if not isinstance(said, dict):
            raise TargetError(f"{self._command} wrote something else than a JSON object.")
        return said


def _answer(fields: dict[str, Any]) -> Answer:
    usage = Usage(prompt_tokens=fields.get("prompt_tokens"), completion_tokens=fields["completion_tokens"])
    return Answer(
        sent_s=0.0,
        ended_s=fields["ended_s"],
        texts_s=tuple(fields["texts_s"]),
        usage=usage,
        finish_reason=fields.get("finish_reason"),
    )
